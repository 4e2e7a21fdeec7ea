from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from evaluation.covers import (
    Covered,
    cover_example,
    covered_recording,
    masking_note,
    placeholder_columns,
    sensitive_values_of,
    unasked,
)
from evaluation.scorers import ScoredExample
from panels.fusion.privacy import masking
from panels.fusion.privacy.detectors import Detector
from panels.fusion.privacy.masking import MASKING_VERSION
from panels.fusion.types import AnswerKind, Failure, FailureKind, Message, Question, Recorded, Reply

MAIL, OTHER = "ada@example.org", "bob@example.org"
META = {"fields": {"patient_name": "Anna Schmidt"}}


def example(text: str, *, reference: str | None = None, references: tuple[str, ...] = (), **fields: Any):
    question = {"kind": AnswerKind.TEXT, "item_id": "1", "messages": (Message(role="user", content=text),)} | fields
    return ScoredExample(question=Question(**question), reference=reference, references=references)


def covered(scored: ScoredExample, meta: Mapping[str, Any] = META, fields: tuple[str, ...] = ("patient_name",)):
    found = cover_example(scored, meta=meta, fields=fields)
    assert isinstance(found, Covered)
    return found


def break_on(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """A detector that breaks where a text holds ``word``."""

    def find(text: str) -> list[tuple[int, int]]:
        if word in text:
            raise RuntimeError(text)
        return []

    broken = (*masking.DEFAULT_DETECTORS, Detector(name="brittle", kind="BRITTLE", find=find))
    for masks in (masking.mask_question, masking.remask):
        monkeypatch.setattr(masks, "__kwdefaults__", {"detectors": broken})


# Which values are sensitive


def test_the_values_of_marked_fields_are_those_of_the_example_and_no_others():
    meta = {"fields": {"name": "Anna", "age": 44, "note": "tall"}, "case": "AB-1", "name": "not this one"}
    assert sensitive_values_of(meta, ["name", "age", "case", "absent"]) == {"name": "Anna", "age": "44", "case": "AB-1"}
    assert sensitive_values_of(meta, []) == {}
    assert sensitive_values_of({}, ["name"]) == {}


def test_several_values_in_one_field_are_all_marked():
    nested = {"who": ["Anna", {"partner": "Bo", "seen": True, "gone": None}], "ids": {"case": 12.5}}
    assert sensitive_values_of({"fields": nested}, ["who", "ids"]) == {"who 1": "Anna", "who 2": "Bo", "ids": "12.5"}
    assert sensitive_values_of({"fields": {"who": None}}, ["who"]) == {}


@pytest.mark.parametrize("named", ["patient_name: Anna", ["Anna"], 7])
def test_fields_that_name_nothing_block_an_example_whose_fields_are_marked(named):
    found = cover_example(example("Anna is ill."), meta={"fields": named}, fields=["patient_name"])
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.MASKING
    assert "are no object" in found.detail
    assert "Anna" not in found.detail
    assert isinstance(cover_example(example("Anna is ill."), meta={"fields": named}, fields=[]), Covered)


# The example under placeholders


def test_everything_a_member_or_an_arbiter_could_see_is_masked_with_one_map():
    found = covered(
        example(
            f"Anna Schmidt, {MAIL}",
            evidence=f"SCHMIDT wrote from {MAIL}.",
            choices=("Anna Schmidt", "nobody"),
            reference="Anna Schmidt",
            references=("anna schmidt", MAIL),
        )
    )
    question = found.scored.question
    name, mail = question.messages[0].content.split(", ")
    assert (name, mail) == ("[[PATIENTNAME_1_o7]]", "[[EMAIL_1_uo]]")
    assert question.choices == (name, "nobody")
    assert question.evidence.endswith(f"wrote from {mail}.")
    assert found.scored.reference == name
    assert found.scored.references[1] == mail
    assert not any(value in repr(found.scored).lower() for value in ("anna", "schmidt", MAIL))


def test_placeholders_are_the_same_whether_the_context_is_read_or_not():
    bare, whole = (
        covered(example(f"To {MAIL}", evidence=evidence, reference=OTHER)) for evidence in ("", "Or eve@example.org?")
    )
    assert bare.scored.reference == whole.scored.reference == "[[EMAIL_2_tz]]"
    assert "[[EMAIL_3_" in whole.scored.question.evidence


def test_a_reference_in_json_is_masked_value_by_value_and_stays_json():
    held = {"to": MAIL, "count": 3, "ok": True, "none": None, "all": [MAIL, "else"], "card": 4111111111111111}
    found = covered(example(f"To {MAIL}", kind=AnswerKind.JSON, reference=json.dumps(held), references=("no object",)))
    assert found.scored.reference is not None
    assert json.loads(found.scored.reference) == {
        "to": "[[EMAIL_1_uo]]",
        "count": 3,
        "ok": True,
        "none": None,
        "all": ["[[EMAIL_1_uo]]", "else"],
        "card": "[[CARD_1_xl]]",
    }
    assert found.scored.references == ("no object",)


@pytest.mark.parametrize(
    ("scored", "meta", "words"),
    [
        (example("A"), {"fields": {"patient_name": "A"}}, "'patient_name' holds a single character"),
        (
            example(f"{MAIL} 4111 1111 1111 1111", schema='{"properties": {"card": {"const": 4111111111111111}}}'),
            {},
            "no placeholder can stand",
        ),
    ],
)
def test_what_cannot_be_masked_is_a_failure_that_names_the_field_and_no_value(scored, meta, words):
    found = cover_example(scored, meta=meta, fields=["patient_name"])
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.MASKING
    assert words in found.detail
    assert "4111" not in found.detail


@pytest.mark.parametrize("text", ["the secret", "harmless"])
def test_a_detector_that_breaks_is_a_failure_wherever_it_breaks(monkeypatch, text):
    break_on(monkeypatch, "secret")
    found = cover_example(example(text, evidence="a secret"), meta={}, fields=[])
    assert isinstance(found, Failure)
    assert (found.kind, "'brittle' broke" in found.detail) == (FailureKind.MASKING, True)
    assert "secret" not in found.detail


def test_of_an_example_that_was_not_masked_nothing_is_left_to_be_sent():
    left = unasked(example(MAIL, evidence=MAIL, schema="{}", reference="A"))
    assert (left.question.messages, left.question.evidence, left.question.schema) == ((), "", "")
    assert left.reference == "A"


def test_the_note_counts_places_by_kind_and_says_under_which_rules():
    cover = covered(example(f"Anna Schmidt of {MAIL}, Mrs Schmidt")).cover
    assert masking_note(("patient_name",), cover) == {
        "version": MASKING_VERSION,
        "fields": ["patient_name"],
        "places": {"EMAIL": 1, "PATIENTNAME": 2},
    }
    assert masking_note((), None) == {"version": MASKING_VERSION, "fields": [], "places": {}}


# What comes back


def test_a_recorded_output_reads_as_if_it_had_been_given_to_placeholders():
    cover = covered(example(f"To {MAIL}")).cover
    recorded = Recorded(has_predicted=True, predicted=MAIL, correct=True)
    found = covered_recording(Reply(text=f"It is {MAIL}.", recorded=recorded), cover, AnswerKind.TEXT)
    assert isinstance(found, Reply)
    assert found.text == "It is [[EMAIL_1_uo]]."
    assert found.recorded == Recorded(has_predicted=True, predicted="[[EMAIL_1_uo]]", correct=True)
    unreadable = Reply(text="?", recorded=Recorded(has_predicted=True, predicted=None))
    assert covered_recording(unreadable, cover, AnswerKind.TEXT) == unreadable
    assert covered_recording(Reply(text=MAIL), cover, AnswerKind.TEXT) == Reply(text="[[EMAIL_1_uo]]")


def test_a_recorded_object_stays_an_object():
    cover = covered(example(f"To {MAIL}", kind=AnswerKind.JSON)).cover
    found = covered_recording(Reply(text=json.dumps({"to": MAIL})), cover, AnswerKind.JSON)
    assert isinstance(found, Reply)
    assert json.loads(found.text) == {"to": "[[EMAIL_1_uo]]"}


def test_a_missing_output_stays_missing_and_one_that_cannot_be_masked_is_a_failure(monkeypatch):
    cover = covered(example("Hello")).cover
    missing = Failure(kind=FailureKind.NOT_RECORDED, detail="")
    assert covered_recording(missing, cover, AnswerKind.TEXT) is missing
    break_on(monkeypatch, "secret")
    found = covered_recording(Reply(text="a secret"), cover, AnswerKind.TEXT)
    assert isinstance(found, Failure)
    assert (found.kind, "secret" in found.detail) == (FailureKind.MASKING, False)


def test_placeholders_of_a_reply_are_counted_with_those_that_stand_for_nothing():
    cover = covered(example(f"To {MAIL}")).cover
    reply = Reply(text="[[EMAIL_1_uo]] or email_1_uo or [[EMAIL_1_zz]] or [[EMAIL_9_ab]]")
    assert placeholder_columns(reply, cover, saw_them=True) == {"placeholders": 4, "placeholders_lost": 2}
    assert placeholder_columns(reply, cover, saw_them=False) == {"placeholders": 4, "placeholders_lost": None}


def test_nothing_is_counted_where_nothing_was_masked_or_nothing_came():
    nothing = {"placeholders": None, "placeholders_lost": None}
    masked = covered(example(MAIL)).cover
    bare = type(masked)(masked=None)
    assert placeholder_columns(Reply(text="[[EMAIL_1_uo]]"), None, saw_them=True) == nothing
    assert placeholder_columns(Reply(text="[[EMAIL_1_uo]]"), bare, saw_them=True) == nothing
    assert placeholder_columns(Failure(kind=FailureKind.SERVER, detail=""), masked, saw_them=True) == nothing


def test_what_a_column_cannot_hold_is_counted_as_its_most():
    cover = covered(example(MAIL)).cover
    reply = Reply(text="[[EMAIL_1_zz]] " * 40_000)
    assert placeholder_columns(reply, cover, saw_them=True) == {"placeholders": 32_767, "placeholders_lost": 32_767}
