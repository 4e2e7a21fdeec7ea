from __future__ import annotations

import pytest

from evaluation.scorers import SCORERS, Score, ScoredExample
from panels.fusion.fuse import fuse
from panels.fusion.outcomes import Fused
from panels.fusion.types import AnswerKind, Failure, Reply
from tests.unit.panels.fusion.fused import DEAD, ScriptedAsk, panel, question, reply


async def _score(
    scorer: str,
    kind: AnswerKind,
    *results: Reply | Failure,
    reference: str | None = None,
    references: tuple[str, ...] = (),
) -> Score | None:
    names = tuple(f"m{seat}" for seat in range(len(results)))
    fused: Fused = await fuse(
        question=question(kind), panel=panel(names), ask=ScriptedAsk(dict(zip(names, results, strict=True)))
    )
    return SCORERS[scorer](fused, ScoredExample(question=question(kind), reference=reference, references=references))


@pytest.mark.parametrize(
    ("scorer", "kind", "text", "reference", "references", "correct"),
    [
        ("exact", AnswerKind.CHOICE, "B", "B", (), True),
        ("exact", AnswerKind.CHOICE, "B", "C", (), False),
        ("exact", AnswerKind.NUMBER, "23.0", "23", (), True),
        ("exact", AnswerKind.NUMBER, "23.1", "23", (), False),
        ("exact", AnswerKind.SHORT, "the UppEr!", "'UppEr'", (), True),
        ("exact", AnswerKind.SHORT, "MFSK", "Olivia", ("Olivia", "MFSK"), True),
        ("number", AnswerKind.SHORT, "$1,000", "1000.0", (), True),
        ("number", AnswerKind.SHORT, "many", "1000.0", (), False),
        ("number", AnswerKind.NUMBER, "7", "7.1", ("7",), True),
        ("short_f1", AnswerKind.SHORT, "John Logie Baird", "Baird", ("John Baird",), True),
        ("short_f1", AnswerKind.SHORT, "John Logie Baird", "Baird", (), False),
    ],
)
async def test_right_or_wrong(
    scorer: str, kind: AnswerKind, text: str, reference: str, references: tuple[str, ...], *, correct: bool
) -> None:
    score = await _score(scorer, kind, reply(text), reference=reference, references=references)
    assert score is not None
    assert score.correct is correct


@pytest.mark.parametrize(
    ("scorer", "kind", "reference", "references"),
    [
        ("exact", AnswerKind.CHOICE, "B", ()),
        ("number", AnswerKind.NUMBER, "7", ()),
        ("short_f1", AnswerKind.SHORT, "Paris", ()),
        ("key_facts", AnswerKind.TEXT, None, ("ferry cancelled",)),
    ],
)
async def test_an_abstention_is_wrong(
    scorer: str, kind: AnswerKind, reference: str | None, references: tuple[str, ...]
) -> None:
    score = await _score(scorer, kind, DEAD, reference=reference, references=references)
    assert score is not None
    assert not score.correct


@pytest.mark.parametrize("scorer", ["exact", "number", "short_f1", "key_facts", "recorded"])
async def test_nothing_to_compare_with_is_unscored_never_wrong(scorer: str) -> None:
    assert await _score(scorer, AnswerKind.SHORT, reply("Paris")) is None


async def test_key_facts_are_stated_word_by_word_in_one_sentence() -> None:
    facts = ("ferry cancelled", "14 March", "Dana Okafor")
    text = "The ferry was cancelled. It was the 14 of March! Dana left. Okafor stayed."
    score = await _score("key_facts", AnswerKind.TEXT, reply(text), references=facts)
    assert score is not None
    assert not score.correct
    assert score.share == pytest.approx(2 / 3)
    whole = await _score("key_facts", AnswerKind.TEXT, reply(text + " Dana Okafor spoke."), references=facts)
    assert whole == Score(correct=True, share=1.0)


async def test_recorded_takes_the_earliest_member_of_the_winning_group() -> None:
    results = (reply("C", correct=True), reply("B", correct=False), reply("B", correct=True))
    score = await _score("recorded", AnswerKind.CHOICE, *results)
    assert score == Score(correct=False)


async def test_recorded_takes_the_medoid_of_free_text() -> None:
    results = (
        reply("storm closes harbour ferry", correct=False),
        reply("storm closes harbour", correct=True),
        reply("storm harbour closes today", correct=False),
    )
    assert await _score("recorded", AnswerKind.TEXT, *results) == Score(correct=True)


async def test_recorded_counts_an_abstention_wrong_where_the_example_is_labelled() -> None:
    abstained = reply("?", predicted=None, has_predicted=True, correct=False)
    assert await _score("recorded", AnswerKind.CHOICE, abstained, DEAD) == Score(correct=False)
    assert await _score("recorded", AnswerKind.CHOICE, DEAD) is None
