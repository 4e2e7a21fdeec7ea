from __future__ import annotations

import re

from evaluation.scorers.values import Score, ScoredExample
from panels.fusion.answers import normalise_short
from panels.fusion.outcomes import Fused

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def score_key_facts(fused: Fused, example: ScoredExample) -> Score | None:
    """Right if the text states every listed fact; ``share`` is the share that it states.

    A fact is stated when all its words (lower case, without punctuation and articles) stand in one sentence.
    """
    if not example.references:
        return None
    text = "" if fused.value is None else str(fused.value)
    sentences = [frozenset(normalise_short(sentence).split()) for sentence in _SENTENCE_END.split(text)]
    stated = sum(_is_stated(fact, sentences) for fact in example.references)
    return Score(correct=stated == len(example.references), share=stated / len(example.references))


def _is_stated(fact: str, sentences: list[frozenset[str]]) -> bool:
    words = frozenset(normalise_short(fact).split())
    return any(words <= sentence for sentence in sentences)
