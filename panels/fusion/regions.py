"""Regions as short codes, so that what a provider reports can be held against what was agreed."""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_CODE_CHARS = 60
_BETWEEN = re.compile(r"[^a-z0-9]+")


def region_code(name: str) -> str:
    """``East US 2`` is ``east-us-2``; empty if nothing of it can be read."""
    return _BETWEEN.sub("-", name.lower()).strip("-")[:MAX_CODE_CHARS].strip("-")


def is_covered(region: str, allowed: Collection[str]) -> bool:
    """Whether a region is one of those allowed, or part of one: ``eu`` covers ``eu-west-1``."""
    return any(region == each or region.startswith(f"{each}-") for each in allowed)
