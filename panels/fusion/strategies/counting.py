from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from panels.fusion.outcomes import Ballot, Tally
from panels.fusion.types import Question, Similarity


class Count(Protocol):
    """Takes every ballot that was asked for so far, abstentions included, and counts."""

    def __call__(self, ballots: Sequence[Ballot], *, question: Question, similarity: Similarity) -> Tally: ...
