from __future__ import annotations

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.outcomes import Fused, MemberCall
from panels.fusion.types import Reply


def score_recorded(fused: Fused, _example: ScoredExample) -> Score | None:
    """Right or wrong as recorded for the member that speaks for the winning group.

    That is the earliest member of the group, for free text the medoid. Unscored where that output has no label, and
    where no member wrote the answer; an abstention is wrong wherever any output of the example has one.
    """
    labels = {call.seat: _label(call) for call in fused.calls}
    if fused.final is None:
        return Score(correct=False) if any(label is not None for label in labels.values()) else None
    label = None if fused.final.seat is None else labels[fused.final.seat]
    return None if label is None else Score(correct=label)


def _label(call: MemberCall) -> bool | None:
    if isinstance(call.result, Reply) and call.result.recorded is not None:
        return call.result.recorded.correct
    return None
