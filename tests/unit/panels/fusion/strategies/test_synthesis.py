from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.arbiter_reply import Unreadable, read_object_of
from panels.fusion.arbitration import Contradiction, Insight, PartialCoverage, Stand, Synthesis
from panels.fusion.candidates import Candidate, LineUp
from panels.fusion.outcomes import Degradation, Final
from panels.fusion.strategies.synthesis import read_synthesis, synthesis_schema, synthesised
from panels.fusion.types import AnswerKind
from tests.unit.panels.fusion.arbitrated import asked, vote_of, written_synthesis

SHOWN = (("A", 2), ("B", 0), ("C", 1))
LINEUP = LineUp(
    nonce="0" * 16,
    candidates=tuple(Candidate(letter=letter, seat=seat, text=f"text of {seat}") for letter, seat in SHOWN),
)
TALLY = vote_of(asked(), "a", "b", "c").tally


def read(answer: Any = "In 1932.", **lists: Any) -> Synthesis | Unreadable:
    found = read_object_of(written_synthesis(answer, **lists), schema=synthesis_schema(["A", "B", "C"]))
    if isinstance(found, Unreadable):
        return found
    return read_synthesis(found, question=asked(), tally=TALLY, lineup=LINEUP)


def test_letters_become_seats_in_all_lists() -> None:
    assert read(
        consensus=["It is open."],
        contradictions=[
            {
                "topic": "the year",
                "stances": [{"candidate": "A", "stance": "1932"}, {"candidate": "B", "stance": "1933"}],
            }
        ],
        partial_coverage=[{"candidates": ["C", "A", "C"], "point": "its length"}],
        unique_insights=[{"candidate": "B", "insight": "the builder"}],
        blind_spots=["the cost"],
    ) == Synthesis(
        answer="In 1932.",
        consensus=("It is open.",),
        contradictions=(
            Contradiction(topic="the year", stands=(Stand(seat=2, stance="1932"), Stand(seat=0, stance="1933"))),
        ),
        partial_coverage=(PartialCoverage(seats=(1, 2), point="its length"),),
        unique_insights=(Insight(seat=0, insight="the builder"),),
        blind_spots=("the cost",),
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [(" In 1932.\n", "In 1932."), (42, "42"), (1.5, "1.5"), ({"b": 1, "a": "é"}, '{"a":"é","b":1}')],
)
def test_an_answer_may_be_a_number_or_an_object(answer: Any, text: str) -> None:
    synthesis = read(answer)
    assert isinstance(synthesis, Synthesis)
    assert synthesis.answer == text


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        ({"answer": "  "}, "$.answer is blank"),
        ({"answer": None}, "$.answer has to be of type string or number or object"),
        ({"consensus": [""]}, "$.analysis.consensus[0] is blank"),
        ({"blind_spots": "none"}, "$.analysis.blind_spots has to be of type array"),
        (
            {"contradictions": [{"topic": "t", "stances": []}]},
            "$.analysis.contradictions[0].stances is an empty list",
        ),
        (
            {"partial_coverage": [{"candidates": ["D"], "point": "p"}]},
            "$.analysis.partial_coverage[0].candidates[0] has to be one of A, B, C",
        ),
        ({"unique_insights": [{"candidate": "A"}]}, "$.analysis.unique_insights[0] lacks insight"),
    ],
)
def test_what_breaks_the_form_is_named(lists: dict[str, Any], problem: str) -> None:
    assert read(**lists) == Unreadable(problem=problem)


@pytest.mark.parametrize(
    "missing", ["consensus", "contradictions", "partial_coverage", "unique_insights", "blind_spots"]
)
def test_no_list_may_be_missing(missing: str) -> None:
    found = json.loads(written_synthesis())
    del found["analysis"][missing]
    read_again = read_object_of(json.dumps(found), schema=synthesis_schema(["A"]))
    assert read_again == Unreadable(problem=f"$.analysis lacks {missing}")


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        (AnswerKind.TEXT, "In 1932.", "In 1932."),
        (AnswerKind.SHORT, "1932", "1932"),
        (AnswerKind.NUMBER, "about 1,932 metres", 1932.0),
        (AnswerKind.CHOICE, "(b)", "B"),
        (AnswerKind.LABEL, "I would say B.", "B"),
    ],
)
def test_the_answer_is_read_as_a_members_would_be(kind: AnswerKind, answer: str, value: str | float) -> None:
    question = asked(kind, choices=("A", "B"))
    assert synthesised(Synthesis(answer=answer), question=question) == Final(value=value, text=answer, seat=None)


@pytest.mark.parametrize("kind", [AnswerKind.CHOICE, AnswerKind.LABEL, AnswerKind.NUMBER])
def test_an_answer_that_cannot_be_read_is_none(kind: AnswerKind) -> None:
    final = synthesised(Synthesis(answer="both or neither"), question=asked(kind, choices=("A", "B")))
    assert final == Degradation(kind="arbiter_unreadable", reason=f"its answer cannot be read as {kind.value}")


@given(answer=st.text(), choices=st.lists(st.sampled_from("ABCDE"), min_size=1, unique=True))
def test_a_closed_answer_is_one_of_the_choices(answer: str, choices: list[str]) -> None:
    final = synthesised(Synthesis(answer=answer), question=asked(AnswerKind.CHOICE, choices=tuple(choices)))
    assert isinstance(final, Degradation) or final.value in choices
