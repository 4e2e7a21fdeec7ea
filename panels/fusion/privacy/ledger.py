"""Hands out placeholders: the same value, the same number; another spelling of it, another letter."""

from __future__ import annotations

from collections import Counter

from panels.fusion.privacy.placeholder_map import Entry, PlaceholderMap
from panels.fusion.privacy.placeholders import LOOKALIKE, Placeholder
from panels.fusion.privacy.spans import Span
from panels.fusion.privacy.values import identity_of

_SPELLINGS = ("", *"bcdefghijklmnopqrstuvwxyz")


class Ledger:
    """Belongs to one masking and is thrown away with it; what it has handed out is in ``placeholder_map()``."""

    def __init__(self, known: PlaceholderMap) -> None:
        self._known = known
        self._new: list[Entry] = []
        self._placeholders: dict[tuple[str, str, str], Placeholder] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._spellings: Counter[tuple[str, int]] = Counter()
        self._highest: Counter[str] = Counter()
        for entry in known.entries:
            self._note(entry)

    def placeholder_of(self, span: Span, text: str) -> Placeholder:
        """For what stands in ``text`` at ``span``."""
        original = text[span.start : span.end]
        identity = self._identity(span, original)
        known = self._placeholders.get((span.kind, identity, original))
        return known or self._hand_out(span.kind, identity, original)

    def placeholder_map(self) -> PlaceholderMap:
        return self._known.extended(self._new)

    def _identity(self, span: Span, original: str) -> str:
        if span.kind == LOOKALIKE:
            return original
        return identity_of(original) if span.identity is None else span.identity

    def _hand_out(self, kind: str, identity: str, original: str) -> Placeholder:
        number = self._numbers.get((kind, identity), 0)
        spelling = self._spellings[kind, number]
        if number == 0 or spelling == len(_SPELLINGS):
            number, spelling = self._highest[kind] + 1, 0
        placeholder = Placeholder(kind=kind, number=number, spelling=_SPELLINGS[spelling])
        entry = Entry(placeholder=placeholder, original=original, identity=identity)
        self._new.append(entry)
        self._note(entry)
        return placeholder

    def _note(self, entry: Entry) -> None:
        placeholder = entry.placeholder
        self._placeholders[placeholder.kind, entry.identity, entry.original] = placeholder
        self._numbers[placeholder.kind, entry.identity] = placeholder.number
        self._spellings[placeholder.kind, placeholder.number] += 1
        self._highest[placeholder.kind] = max(self._highest[placeholder.kind], placeholder.number)
