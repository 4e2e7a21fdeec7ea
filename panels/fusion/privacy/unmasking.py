"""Puts the values back, whole or while a reply is still coming, and counts what models did to the placeholders."""

from __future__ import annotations

from dataclasses import dataclass, field

from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.placeholders import Sighting, grammar_of


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityCount:
    """What became of placeholders in replies; add up per model.

    ``restored`` came back as sent. ``repaired`` had lost brackets, case or an escape, but their check characters told
    which they were. ``altered`` have a known kind and number but wrong or no check characters; ``invented`` stand for
    nothing. Neither is replaced: the reader sees them as the model wrote them.
    """

    restored: int = 0
    repaired: int = 0
    altered: int = 0
    invented: int = 0

    def __add__(self, other: IntegrityCount) -> IntegrityCount:
        return IntegrityCount(
            restored=self.restored + other.restored,
            repaired=self.repaired + other.repaired,
            altered=self.altered + other.altered,
            invented=self.invented + other.invented,
        )

    @property
    def total(self) -> int:
        return self.restored + self.repaired + self.altered + self.invented

    @property
    def lost(self) -> int:
        """Those that no value could be put in the place of."""
        return self.altered + self.invented


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasked:
    """For the reader alone: the text holds what was masked."""

    text: str = field(repr=False)
    count: IntegrityCount


def unmask(text: str, placeholder_map: PlaceholderMap) -> Unmasked:
    """Every placeholder that can be told for certain becomes its value again."""
    unmasker = StreamingUnmasker(placeholder_map)
    return Unmasked(text=unmasker.feed(text) + unmasker.close(), count=unmasker.count)


class StreamingUnmasker:
    """``unmask`` for a text that comes in pieces: what ``feed`` and ``close`` return, joined, is the same.

    Holds back only what could still become a placeholder, which is never more than about forty characters.
    """

    def __init__(self, placeholder_map: PlaceholderMap) -> None:
        self._map = placeholder_map
        self._grammar = grammar_of(placeholder_map.kinds)
        # What is not out yet, after the one character before it: letters there mean that no placeholder begins.
        self._text = ""
        self._done = 0
        self._restored = self._repaired = self._altered = self._invented = 0

    @property
    def count(self) -> IntegrityCount:
        return IntegrityCount(
            restored=self._restored, repaired=self._repaired, altered=self._altered, invented=self._invented
        )

    def feed(self, chunk: str) -> str:
        """What can be shown now that ``chunk`` has come."""
        self._text = self._text[max(0, self._done - 1) :] + chunk
        self._done = min(self._done, 1)
        return self._take(final=False)

    def close(self) -> str:
        """The rest, once no more comes."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> str:
        taken: list[str] = []
        while True:
            limit = len(self._text) if final else self._grammar.first_unfinished(self._text, self._done)
            sighting = self._grammar.next_sighting(self._text, self._done)
            if sighting is None or sighting.start >= limit:
                taken.append(self._text[self._done : limit])
                self._done = limit
                return "".join(taken)
            taken += [self._text[self._done : sighting.start], self._read(sighting)]
            self._done = sighting.end

    def _read(self, sighting: Sighting) -> str:
        as_written = self._text[sighting.start : sighting.end]
        original = self._map.original(sighting.placeholder) if sighting.sound else None
        if original is None:
            known = self._map.knows_number(sighting.placeholder)
            self._altered += known
            self._invented += not known
            return as_written
        self._restored += sighting.exact
        self._repaired += not sighting.exact
        before, after = sighting.kept
        return f"{before}{original}{after}"
