"""Sort orders of a list by the word in the URL: ``?sort=name`` upwards, ``?sort=-name`` downwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fusion_site.lib.paging import Order


def chosen_order(orders: Mapping[str, Order], wanted: str, *, default: str) -> Order:
    """The order that ``wanted`` names, else the default one; a leading minus turns it around."""
    name = wanted if wanted.removeprefix("-") in orders else default
    return replace(orders[name.removeprefix("-")], descending=name.startswith("-"))
