"""One placeholder for all spellings of a value that say the same: for comparing answers, never for giving them back."""

from __future__ import annotations

from collections.abc import Iterator

from panels.fusion.privacy.folding import folded
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.placeholders import Placeholder


def alike_spellings(text: str, placeholder_map: PlaceholderMap) -> str:
    """``ANNA SCHMIDT`` and ``Anna Schmidt`` under one placeholder, as a comparison of the values would have it.

    What differs in more than case, width or blanks stays another spelling: a name and a part of it are not the same.
    """
    for spelling, first in _repeated(placeholder_map):
        text = text.replace(str(spelling), str(first))
    return text


def _repeated(placeholder_map: PlaceholderMap) -> Iterator[tuple[Placeholder, Placeholder]]:
    """Placeholders whose value came before in another spelling, each with the first one of it."""
    firsts: dict[tuple[str, int, str], Placeholder] = {}
    for entry in placeholder_map.secrets:
        own = entry.placeholder
        first = firsts.setdefault((own.kind, own.number, folded(entry.original)), own)
        if first is not own:
            yield own, first
