"""How answers become one: one function a file, found by name in a plain dict."""

from collections.abc import Sequence

from panels.fusion.outcomes import Ballot, Tally
from panels.fusion.strategies.counting import Count
from panels.fusion.strategies.fieldwise import fieldwise
from panels.fusion.strategies.majority import majority
from panels.fusion.strategies.weighted import weighted
from panels.fusion.types import AnswerKind, Question, Similarity, StrategyName

# How each strategy counts ballots: for the stop rule, for the consensus, and for the answer if no arbiter gives one.
COUNTS: dict[StrategyName, Count] = {
    StrategyName.MAJORITY: majority,
    StrategyName.WEIGHTED: weighted,
    StrategyName.VERIFICATION: majority,
    StrategyName.SYNTHESIS: majority,
}


def count_ballots(
    ballots: Sequence[Ballot], *, strategy: StrategyName, question: Question, similarity: Similarity
) -> Tally:
    """The vote of these ballots; ``strategy`` is a chosen one, not ``AUTO``."""
    count = COUNTS[strategy]
    if question.kind is AnswerKind.JSON:
        return fieldwise(ballots, question=question, similarity=similarity, count=count)
    return count(ballots, question=question, similarity=similarity)
