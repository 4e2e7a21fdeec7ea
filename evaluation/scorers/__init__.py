"""Right or wrong: a scorer's word, named by the dataset. One scorer a file, found by name in a plain dict."""

from evaluation.scorers.exact import score_exact
from evaluation.scorers.key_facts import score_key_facts
from evaluation.scorers.number import score_number
from evaluation.scorers.recorded import score_recorded
from evaluation.scorers.short_f1 import score_short_f1
from evaluation.scorers.values import Score, ScoredExample, Scorer

SCORERS: dict[str, Scorer] = {
    "exact": score_exact,
    "number": score_number,
    "short_f1": score_short_f1,
    "key_facts": score_key_facts,
    "recorded": score_recorded,
}

__all__ = ["SCORERS", "Score", "ScoredExample", "Scorer"]
