"""Which placeholder stands for which value, for one request and all its members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from panels.fusion.privacy.placeholders import LOOKALIKE, Placeholder


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One spelling of a value. ``identity`` is what all spellings of the value have in common."""

    placeholder: Placeholder
    original: str = field(repr=False)
    identity: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitiveValue:
    """The value of a field that the workflow marks sensitive, and the parts of it that give it away too."""

    kind: str
    value: str = field(repr=False)
    parts: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PlaceholderMap:
    """Never printed: only the numbers of values by kind are.

    ``kinds`` are those that may occur; they are fixed when the question is masked, so that what was no placeholder
    then does not become one later. ``sensitive`` is looked for in everything that is masked with this map.
    """

    kinds: tuple[str, ...]
    sensitive: tuple[SensitiveValue, ...] = ()
    entries: tuple[Entry, ...] = ()
    _originals: dict[Placeholder, str] = field(init=False, compare=False)
    _numbers: frozenset[tuple[str, int]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_originals", {entry.placeholder: entry.original for entry in self.entries})
        numbers = frozenset((placeholder.kind, placeholder.number) for placeholder in self._originals)
        object.__setattr__(self, "_numbers", numbers)

    def __repr__(self) -> str:
        counts = Counter(kind for kind, _ in self._numbers)
        return f"PlaceholderMap({', '.join(f'{kind}: {counts[kind]}' for kind in sorted(counts))})"

    def original(self, placeholder: Placeholder) -> str | None:
        """The value that a placeholder stands for; None if it stands for nothing here."""
        return self._originals.get(placeholder)

    def knows_number(self, placeholder: Placeholder) -> bool:
        """Whether any spelling of the value with this kind and number exists."""
        return (placeholder.kind, placeholder.number) in self._numbers

    def extended(self, entries: Iterable[Entry]) -> PlaceholderMap:
        """With further entries at the end; those it has keep their placeholders."""
        return replace(self, entries=(*self.entries, *entries))

    @property
    def secrets(self) -> tuple[Entry, ...]:
        """The entries whose originals must not leave: all but text that only looks like a placeholder."""
        return tuple(entry for entry in self.entries if entry.placeholder.kind != LOOKALIKE)
