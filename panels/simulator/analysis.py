"""The reply of a simulated arbiter: the JSON of its task, or now and then something that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from panels.simulator.answer_key import KeyItem
from panels.simulator.brief import Brief, Task
from panels.simulator.judging import Judge, Statement
from panels.simulator.model import SimulatedModel
from panels.simulator.statements import closest_span, first_words, gist_of

_MAX_CLAIMS = 12
_EVIDENCE_WORDS = 25
_CANDIDATE_WORDS = 15
_TOPIC_WORDS = 5
_BARE_WORDS = 5
_FINDINGS = {True: "supported", False: "contradicted", None: "not_found"}
_NOTHING_CLAIMED = {"claim": "There is an answer.", "finding": "not_found", "quote": "", "candidates": []}
_NO_ANSWER = "I do not know."
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def analyse(
    *, model: SimulatedModel, brief: Brief, item: KeyItem | None, seed: int, request_seed: int | None
) -> tuple[str, bool | None]:
    """The reply, and whether all that it says is right; None where nothing says what would be."""
    judge = Judge(model=model, brief=brief, item=item, seed=seed, request_seed=request_seed)
    content, right = _verify(judge) if brief.task is Task.VERIFICATION else _synthesise(judge)
    reply = _encode(content)
    draws = judge.draws("analysis", sorted(brief.candidates.values()))
    if draws.unreadable >= model.bad_analysis_rate or (brief.asked_again and not model.stubborn):
        return reply, right
    return _unreadable(reply, content, draws.pick), False


def _unreadable(reply: str, content: Mapping[str, Any], uniform: float) -> str:
    """Prose in place of the object, half of it, or one that lacks what was asked for."""
    ways = (
        "Having weighed the candidates, I would go with the first: it is the clearest.",
        reply[: len(reply) // 2],
        _encode({"verdict": list(content)}),
    )
    return ways[int(uniform * len(ways))]


def _verify(judge: Judge) -> tuple[dict[str, Any], bool | None]:
    statements = judge.statements[:_MAX_CLAIMS]
    claims = [_claim(judge, statement) for statement in statements]
    known = [
        row["finding"] == _FINDINGS[said.truth.right]
        for row, said in zip(claims, statements, strict=True)
        if said.truth
    ]
    return {"claims": claims or [_NOTHING_CLAIMED]}, all(known) if known else None


def _claim(judge: Judge, statement: Statement) -> dict[str, Any]:
    finding, quote = _FINDINGS[judge.believes(statement)], ""
    if judge.brief.evidence and finding != "not_found":
        quote = closest_span(judge.brief.evidence, _wanted(judge.item, statement), most=_EVIDENCE_WORDS)
        # Without words to show for it there is no finding.
        finding = finding if quote else "not_found"
    return {
        "claim": _as_claim(statement.text),
        "finding": finding,
        "quote": quote,
        "candidates": _stances(judge, statement),
    }


def _wanted(item: KeyItem | None, statement: Statement) -> frozenset[str]:
    """The words of the evidence that decide the statement: those of the truth, where it is known."""
    if item is None or statement.truth is None:
        return statement.gist
    return gist_of(item.facts[statement.truth.subject].sentence if item.facts else item.reference)


def _as_claim(text: str) -> str:
    is_bare = len(text.split()) <= _BARE_WORDS and text[-1] not in ".!?"
    return f"The answer is {text}." if is_bare else text


def _stances(judge: Judge, statement: Statement) -> list[dict[str, str]]:
    """Whoever makes the statement supports it; whoever makes a rival one instead contradicts it."""
    said = {letter: ("supports", span) for letter, span in statement.spans.items()}
    for other in judge.statements:
        if statement.rivals(other):
            for letter, span in other.spans.items():
                said.setdefault(letter, ("contradicts", span))
    return [
        {"candidate": letter, "stance": said[letter][0], "quote": first_words(said[letter][1], _CANDIDATE_WORDS)}
        for letter in judge.brief.candidates
        if letter in said
    ]


def _synthesise(judge: Judge) -> tuple[dict[str, Any], bool | None]:
    answer, right = _answer(judge)
    disputed = [statement for group in judge.disputes for statement in group]
    settled = [statement for statement in judge.statements if statement not in disputed]
    shown = len(judge.brief.candidates)
    analysis = {
        "consensus": [said.text for said in settled if len(said.spans) == shown > 1],
        "contradictions": [_contradiction(group) for group in judge.disputes],
        "partial_coverage": [
            {"candidates": list(said.spans), "point": said.text} for said in settled if 1 < len(said.spans) < shown
        ],
        "unique_insights": [
            {"candidate": next(iter(said.spans)), "insight": said.text} for said in settled if len(said.spans) == 1
        ],
        "blind_spots": _blind_spots(judge),
    }
    return {"analysis": analysis, "answer": answer}, right


def _contradiction(group: Sequence[Statement]) -> dict[str, Any]:
    stands = {letter: said.text for said in reversed(group) for letter in said.spans}
    common = frozenset.intersection(*(said.gist for said in group))
    words = [word for word in group[0].text.split() if gist_of(word) & common]
    return {
        "topic": " ".join(words[:_TOPIC_WORDS]).rstrip(".!?,;:") or "the answer",
        "stances": [{"candidate": letter, "stance": stands[letter]} for letter in sorted(stands)],
    }


def _blind_spots(judge: Judge) -> list[str]:
    """Facts that no candidate speaks of, as far as the arbiter sees them."""
    item = judge.item
    if item is None:
        return []
    spoken_of = {said.truth.subject for said in judge.statements if said.truth}
    return [
        fact.sentence for number, fact in enumerate(item.facts) if number not in spoken_of and judge.sees(number, item)
    ]


def _answer(judge: Judge) -> tuple[str, bool | None]:
    if judge.item is None:
        return _unknown_answer(judge), None
    return _facts(judge, judge.item) if judge.item.facts else _one_answer(judge, judge.item)


def _unknown_answer(judge: Judge) -> str:
    favourite = judge.favourite
    return favourite.text if favourite else next(iter(judge.brief.candidates.values()))


def _facts(judge: Judge, item: KeyItem) -> tuple[str, bool]:
    """What it takes for true of each fact that a candidate speaks of."""
    sentences = []
    for number, fact in enumerate(item.facts):
        said = [statement for statement in judge.statements if statement.truth and statement.truth.subject == number]
        believed = [statement.truth for statement in said if statement.truth and judge.believes(statement)]
        sentences += [fact.sentence if truth.right else fact.wrong for truth in believed[:1]]
    right = sentences == [fact.sentence for fact in item.facts]
    return " ".join(sentences) or _unknown_answer(judge), right


def _one_answer(judge: Judge, item: KeyItem) -> tuple[str, bool]:
    """The right one, if it recognises it among the candidates' or would have found it where none of them did."""
    truths = [statement.truth for statement in judge.statements if statement.truth]
    is_shown = any(truth.right for truth in truths)
    if judge.sees(0, item) if is_shown else judge.knows(item):
        return item.reference, True
    wrong = [said for said in judge.statements if said.truth and not said.truth.right]
    taken = max(wrong, key=judge.favour, default=None)
    named = [text for text in item.wrong if taken is None or gist_of(text) <= taken.gist]
    return (named[0] if named else _NO_ANSWER), False
