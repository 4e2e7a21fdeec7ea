from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from panels.fusion.outcomes import Fused
from panels.fusion.types import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredExample:
    """What a scorer may look at: the question and what counts as right.

    ``references`` are accepted answers, or for ``key_facts`` the facts that have to be stated.
    """

    question: Question
    reference: str | None
    references: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        own = () if self.reference is None or self.reference in self.references else (self.reference,)
        return own + self.references


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Right or wrong; ``share`` in [0, 1] where the scorer measures one (token F1, facts stated)."""

    correct: bool
    share: float | None = None


class Scorer(Protocol):
    """None is unscored: there was nothing to compare with. An abstention is wrong, not unscored."""

    def __call__(self, fused: Fused, example: ScoredExample, /) -> Score | None: ...
