from __future__ import annotations

import pytest

from panels.fusion.answers import canonical, dice, normalise_short, parse_number, read_ballot, token_f1
from panels.fusion.outcomes import BallotValue
from panels.fusion.schemas import BadSchema
from panels.fusion.types import AnswerKind
from tests.unit.panels.fusion.fused import json_question, question

LABELS = ("positive", "negative", "neutral")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("**C**", "C"),
        ("B) because it is largest", "B"),
        ("Let me think. The answer is (D).", "D"),
        ("The answer is A. No, wait: the answer is C.", "C"),
        ("So \\boxed{A}", "A"),
        ('{"reasoning": "long", "answer": "B"}', "B"),
        ('```json\n{"answer": "C"}\n```', "C"),
        ("Final answer: D", "D"),
        ("E", None),
        ("A or B, both are fine", None),
        ("A good question without an answer", None),
        ("", None),
    ],
)
def test_choice(text: str, expected: str | None) -> None:
    assert read_ballot(text, question=question()) == expected


def test_json_nested_too_deeply_to_be_read_is_an_abstention() -> None:
    assert read_ballot('{"answer":' * 100_000, question=question()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Neutral. The sentence only reports.", "neutral"),
        ("I would say the tone is negative.", "negative"),
        ("Label: positive", "positive"),
        ("positive and negative at once", None),
        ("unpositively so", None),
    ],
)
def test_label(text: str, expected: str | None) -> None:
    assert read_ballot(text, question=question(AnswerKind.LABEL, choices=LABELS)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", 42.0),
        ("$1,234.50", 1234.5),
        ("−3", -3.0),
        ("The answer is 17.", 17.0),
        ("It weighs 12 kg", 12.0),
        ("2 + 2 = 4", None),
        ("between 3 and 5, the answer is 4", 4.0),
        ("none", None),
    ],
)
def test_number(text: str, expected: float | None) -> None:
    assert read_ballot(text, question=question(AnswerKind.NUMBER)) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (AnswerKind.SHORT, ' {"answer": "Rihanna"} ', "Rihanna"),
        (AnswerKind.SHORT, "Rihanna", "Rihanna"),
        (AnswerKind.SHORT, '{"other": 1}', '{"other": 1}'),
        (AnswerKind.TEXT, "  A long text. ", "A long text."),
        (AnswerKind.TEXT, "   ", None),
    ],
)
def test_open_kinds(kind: AnswerKind, text: str, expected: BallotValue | None) -> None:
    assert read_ballot(text, question=question(kind)) == expected


def test_json_is_the_canonical_text_of_a_valid_object() -> None:
    asked = json_question({"properties": {"total": {"type": "number"}}, "required": ["total"]})

    assert read_ballot('Here: ```json\n{"total": 2.0, "city": "Zürich"}\n```', question=asked) == (
        '{"city":"Zürich","total":2}'
    )
    assert read_ballot('{"total": "2"}', question=asked) is None
    assert read_ballot('{"total": 2', question=asked) is None
    assert read_ballot("", question=asked) is None
    assert read_ballot('{"any": [1]}', question=json_question()) == '{"any":[1]}'


def test_json_with_a_schema_that_is_none_is_not_read() -> None:
    with pytest.raises(BadSchema):
        read_ballot("{}", question=json_question({"type": "array"}))


def test_canonical_json_is_a_whole_text_that_is_a_valid_object() -> None:
    asked = json_question({"required": ["a"]})

    assert canonical('{"b": 1, "a": 2.0}', question=asked) == '{"a":2,"b":1}'
    assert canonical('{"b": 1}', question=asked) is None
    assert canonical('It is {"a": 1}', question=asked) is None


def test_canonical_maps_to_the_choice_and_keeps_what_is_outside() -> None:
    assert canonical(" Positive ", question=question(AnswerKind.LABEL, choices=LABELS)) == "positive"
    assert canonical("mixed", question=question(AnswerKind.LABEL, choices=LABELS)) == "mixed"
    assert canonical("23.0", question=question(AnswerKind.NUMBER)) == 23.0
    assert canonical("['a']", question=question(AnswerKind.NUMBER)) is None
    assert canonical("", question=question(AnswerKind.SHORT)) == ""


def test_canonical_does_not_guess_between_choices_that_differ_in_case_alone() -> None:
    assert canonical("x", question=question(choices=("X", "x"))) == "x"
    assert read_ballot("(É)", question=question(choices=("é",))) == "é"


@pytest.mark.parametrize("text", ["1e400", "nan", "inf", "1/2", ""])
def test_parse_number_refuses_what_is_no_finite_number(text: str) -> None:
    assert parse_number(text) is None


def test_normalise_short_as_squad_does() -> None:
    assert normalise_short("  The  Beatles' (first) LP! ") == "beatles first lp"


def test_token_f1_counts_repeated_tokens_once_each() -> None:
    # Tokens new york city against new york: 2 shared of 3 and 2, F1 = 4 / 5.
    assert token_f1("New York City", "the new york") == pytest.approx(0.8)
    assert token_f1("the", "a") == 1.0
    assert token_f1("the", "cat") == 0.0
    assert token_f1("yes yes", "yes") == pytest.approx(2 / 3)


def test_dice_of_content_tokens() -> None:
    assert dice("The ferry was cancelled", "ferry cancelled today") == pytest.approx(0.8)
    assert dice("the of", "the of") == 1.0
    assert dice("the of", "and so") == 0.0
