from __future__ import annotations

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.agreement import SHORT_F1_THRESHOLD
from panels.fusion.answers import token_f1
from panels.fusion.outcomes import Fused


def score_short_f1(fused: Fused, example: ScoredExample) -> Score | None:
    """Right if the token F1 (SQuAD) with the closest accepted answer is at least 0.6, the grouping's own threshold."""
    if not example.accepted:
        return None
    if fused.value is None:
        return Score(correct=False, share=0.0)
    answer = str(fused.value)
    best = max(token_f1(answer, accepted) for accepted in example.accepted)
    return Score(correct=best >= SHORT_F1_THRESHOLD, share=best)
