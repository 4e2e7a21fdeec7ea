"""Names and lists of names, as the charts write them."""

from __future__ import annotations

from collections.abc import Sequence

_LABEL_CHARACTERS = 28


def label(name: str, most: int = _LABEL_CHARACTERS) -> str:
    return escaped(name if len(name) <= most else f"{name[: most - 1].rstrip()}…")


def escaped(name: str) -> str:
    """plotly reads a subset of HTML in its texts; a name is only text."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def named(name: str) -> str:
    """A name in a sentence: one with a comma needs quotes to stay one name."""
    return f"“{name}”" if "," in name else name


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
