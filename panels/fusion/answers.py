"""From a member's text to its ballot: an answer that cannot be read is an abstention, never a guess."""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from panels.fusion.json_text import JsonObject, canonical_json, only_object, read_object
from panels.fusion.outcomes import BallotValue
from panels.fusion.schemas import violation
from panels.fusion.types import AnswerKind, Question

_ARTICLES = frozenset({"a", "an", "the"})
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+")
_NUMBER = r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+−]?\.\d+"
_WHOLE_NUMBER = re.compile(rf"[$€£]?\s*({_NUMBER})\s*[%$€£]?\.?")
_ANY_NUMBER = re.compile(_NUMBER)
_NAMED_ANSWER = re.compile(r"answer\s*(?:is|:|=)\s*(?:is\s+)?[:=]?\s*(?=([^\n]+))", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_FENCE = re.compile(r"^```\w*\s*|\s*```$")
# Words that carry grammar, not content; two texts that share only these say nothing alike.
_GRAMMAR = (
    "a about after all also an and any are as at be because been before being but by can could did do does for from "
    "had has have he her here him his how i if in into is it its just may me might more most my no nor not of on only "
    "or other our out over own s she should so some such than that the their them then there these they this those "
    "through to too under until up us very was we were what when where which while who whom why will with would you "
    "your"
)
_FUNCTION_WORDS = frozenset(_GRAMMAR.split())


def normalise_short(text: str) -> str:
    """Lower case, without punctuation and articles, spaces collapsed (Rajpurkar et al. 2016, SQuAD evaluation)."""
    words = text.lower().translate(_PUNCTUATION).split()
    return " ".join(word for word in words if word not in _ARTICLES)


def token_f1(left: str, right: str) -> float:
    """F1 of the two bags of normalised tokens, in [0, 1] (SQuAD). Two empty answers agree."""
    left_tokens, right_tokens = normalise_short(left).split(), normalise_short(right).split()
    if not left_tokens or not right_tokens:
        return float(left_tokens == right_tokens)
    shared = sum((Counter(left_tokens) & Counter(right_tokens)).values())
    return 2 * shared / (len(left_tokens) + len(right_tokens))


@lru_cache(maxsize=8192)
def content_tokens(text: str) -> frozenset[str]:
    """The text's set of lower-case words that are not function words."""
    return frozenset(_WORD.findall(text.lower())) - _FUNCTION_WORDS


def dice(left: str, right: str) -> float:
    """Dice coefficient of the two sets of content tokens, in [0, 1]."""
    left_tokens, right_tokens = content_tokens(left), content_tokens(right)
    if not left_tokens or not right_tokens:
        return float(left.strip() == right.strip())
    return 2 * len(left_tokens & right_tokens) / (len(left_tokens) + len(right_tokens))


def parse_number(text: str) -> float | None:
    """The number that the whole text is, with thousands commas, a currency or a percent sign allowed."""
    match = _WHOLE_NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    value = float(match[1].replace(",", "").replace("−", "-"))
    return value if math.isfinite(value) else None


def canonical(value: str, *, question: Question) -> BallotValue | None:
    """A parsed answer (a recorded ballot, a reference) in the form in which ballots are compared.

    A value outside the choices is kept: it is a ballot that nobody else will match. JSON that breaks its schema is not:
    the merge of valid answers has to be valid.
    """
    if question.kind is AnswerKind.NUMBER:
        return parse_number(value)
    if question.kind in {AnswerKind.CHOICE, AnswerKind.LABEL}:
        stripped = value.strip()
        return _matching_choice(stripped, question.choices) or stripped
    return _valid_json(read_object(value), question) if question.kind is AnswerKind.JSON else value


def read_ballot(text: str, *, question: Question) -> BallotValue | None:
    """The ballot that a member's text casts; None if it cannot be read. Raises BadSchema for a schema that is none."""
    if question.kind is AnswerKind.JSON:
        return _valid_json(only_object(text), question)
    return _READERS[question.kind](text.strip(), question.choices) if text.strip() else None


def _valid_json(value: JsonObject | None, question: Question) -> str | None:
    if value is None or violation(value, schema=question.schema):
        return None
    return canonical_json(value)


def _matching_choice(value: str, choices: Sequence[str]) -> str | None:
    if value in choices:
        return value
    folded = [choice for choice in choices if choice.casefold() == value.casefold()]
    return folded[0] if len(folded) == 1 else None


def _stated_answers(text: str) -> list[str]:
    """What the text names as its answer, the last statement first: JSON field, box, "the answer is"."""
    stated = [*_BOXED.findall(text), *_NAMED_ANSWER.findall(text)]
    return [*_json_answer(text), *reversed(stated)]


def _json_answer(text: str) -> list[str]:
    if "{" not in text:
        return []
    try:
        loaded = json.loads(_FENCE.sub("", text))
    except (ValueError, RecursionError):
        return []
    answer = loaded.get("answer") if isinstance(loaded, dict) else None
    return [str(answer)] if isinstance(answer, str | int | float) else []


def _read_closed(text: str, choices: Sequence[str]) -> str | None:
    for stated in [text, *_stated_answers(text)]:
        choice = _choice_at_start(stated, choices)
        if choice is not None:
            return choice
    return None


def _choice_at_start(stated: str, choices: Sequence[str]) -> str | None:
    """The choice that the statement is, bare or as "(B)", "B.", "**B**" or "B) because …"."""
    bare = stated.strip().strip("*_`'\" ").rstrip(".!")
    whole = _matching_choice(bare.strip("()[]"), choices)
    if whole is not None:
        return whole
    marked = re.match(r"[*_`]*[(\[]?([^\s()\[\].:,*_`]+)[*_`]*(?:[)\].:,]|$)", bare)
    return _matching_choice(marked[1], choices) if marked else None


def _read_label(text: str, choices: Sequence[str]) -> str | None:
    stated = _read_closed(text, choices)
    if stated is not None:
        return stated
    found = [label for label in choices if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None


def _read_number(text: str, _choices: Sequence[str]) -> float | None:
    for stated in [text, *_stated_answers(text)]:
        whole = parse_number(stated.strip("*_` "))
        if whole is not None:
            return whole
        numbers = _ANY_NUMBER.findall(stated)
        if len(numbers) == 1:
            return parse_number(numbers[0])
    return None


def _read_short(text: str, _choices: Sequence[str]) -> str | None:
    return (_json_answer(text) or [text])[0]


def _read_text(text: str, _choices: Sequence[str]) -> str | None:
    return text


_READERS: dict[AnswerKind, Callable[[str, Sequence[str]], BallotValue | None]] = {
    AnswerKind.CHOICE: _read_closed,
    AnswerKind.LABEL: _read_label,
    AnswerKind.NUMBER: _read_number,
    AnswerKind.SHORT: _read_short,
    AnswerKind.TEXT: _read_text,
}
