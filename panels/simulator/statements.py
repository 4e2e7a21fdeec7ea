"""What a text states: its sentences, what tells two of them apart, and spans copied letter by letter."""

from __future__ import annotations

import re
from collections.abc import Collection

Gist = frozenset[str]

_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_CHUNK = re.compile(r"\S+")
_SENTENCE = re.compile(r"\S[^\n]*?(?:[.!?](?=\s)|$)", re.MULTILINE)
_GRAMMAR = "a an and are as at be by for from in is it its of on that the this to was were will with"
_FUNCTION_WORDS = frozenset(_GRAMMAR.split())
# Whoever speaks of these speaks to the arbiter, not of the subject.
_ABOUT_THE_TASK = re.compile(r"<<<|>>>|\b(?:candidates?|instructions?|arbiter)\b|^Task:", re.IGNORECASE)


def find_sentences(text: str) -> list[str]:
    """Sentences as they stand in the text, without those that speak of the arbiter's task."""
    found = (match[0].rstrip() for match in _SENTENCE.finditer(text))
    return [sentence for sentence in found if not _ABOUT_THE_TASK.search(sentence)]


def gist_of(text: str) -> Gist:
    """The set of words that carry meaning, which is the same however a thing is said; all, where none carries any."""
    words = frozenset(_WORD.findall(text.lower()))
    return words - _FUNCTION_WORDS or words


def overlap(left: Gist, right: Gist) -> float:
    """Jaccard index in [0, 1]."""
    return len(left & right) / max(1, len(left | right))


def first_words(text: str, most: int) -> str:
    """The span of the first words, at most so many."""
    ends = [match.end() for match in _CHUNK.finditer(text)]
    return text[: ends[most - 1]] if len(ends) > most else text


def closest_span(text: str, wanted: Gist, *, most: int) -> str:
    """The span of at most so many words, within one sentence, that has most of what is wanted; empty if none has."""
    spans = [span for match in _SENTENCE.finditer(text) for span in _windows(match[0].rstrip(), most)]
    best = max(spans, key=lambda span: len(gist_of(span) & wanted), default="")
    return best if gist_of(best) & wanted else ""


def share_said(text: str, wanted: Collection[str]) -> float:
    """The largest share of the wanted words that one sentence of the text has, in [0, 1]."""
    shares = (len(gist_of(match[0]) & set(wanted)) for match in _SENTENCE.finditer(text))
    return max(shares, default=0) / max(1, len(wanted))


def _windows(sentence: str, most: int) -> list[str]:
    chunks = list(_CHUNK.finditer(sentence))
    starts = range(max(1, len(chunks) - most + 1))
    return [sentence[chunks[start].start() : chunks[min(start + most, len(chunks)) - 1].end()] for start in starts]
