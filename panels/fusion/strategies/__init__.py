"""How answers become one: one function a file, found by name in a plain dict."""

from collections.abc import Sequence
from typing import Protocol

from panels.fusion.strategies.majority import majority
from panels.fusion.strategies.weighted import weighted
from panels.fusion.types import Ballot, Question, Similarity, StrategyName, Tally


class Strategy(Protocol):
    """Takes every ballot that was asked for so far, abstentions included, and counts."""

    def __call__(self, ballots: Sequence[Ballot], *, question: Question, similarity: Similarity) -> Tally: ...


STRATEGIES: dict[StrategyName, Strategy] = {
    StrategyName.MAJORITY: majority,
    StrategyName.WEIGHTED: weighted,
}
