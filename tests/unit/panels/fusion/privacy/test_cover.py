from __future__ import annotations

import json

import pytest

from panels.fusion.privacy import masking
from panels.fusion.privacy.cover import Cover, UnmaskableSchema, cover_of
from panels.fusion.privacy.detectors import Detector
from panels.fusion.types import AnswerKind, Failure, FailureKind, Member, Message, Question, Reply, Usage

MAIL = "ada@example.org"
INSIDE, OUTSIDE = Member(model="own", in_house=True), Member(model="theirs")


def asked(**fields) -> Question:
    message = Message(role="user", content=f"Write to {MAIL}.")
    return Question(item_id="", messages=(message,), kind=AnswerKind.JSON, **fields)


def cover() -> Cover:
    return cover_of(asked(), {})


def break_on(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """A detector that breaks where a text holds ``word``."""

    def find(text: str) -> list[tuple[int, int]]:
        if word in text:
            raise RuntimeError(text)
        return []

    broken = (*masking.DEFAULT_DETECTORS, Detector(name="brittle", kind="BRITTLE", find=find))
    monkeypatch.setattr(masking.remask, "__kwdefaults__", {"detectors": broken})


def test_without_masking_everything_passes_as_it_is():
    cover = cover_of(asked(), None)
    reply = Reply(text=MAIL)
    assert cover.question(asked()) == asked()
    assert cover.covered(reply, INSIDE) is reply
    assert (cover.placeholder_map, dict(cover.counts)) == (None, {})


def test_what_a_provider_of_ours_complains_about_is_masked_with_every_attempt():
    earlier = Failure(kind=FailureKind.SERVER, detail=f"no route for {MAIL}")
    failure = Failure(kind=FailureKind.REQUEST, detail=f"bad message: Write to {MAIL}.", earlier=(earlier,))
    found = cover().covered(failure, INSIDE)
    assert found.kind is FailureKind.REQUEST
    assert "bad message: Write to [[EMAIL_1_uo]]." in found.detail
    assert MAIL not in repr(found)
    reply = cover().covered(Reply(text="ok", earlier=(earlier,)), INSIDE)
    assert MAIL not in repr(reply)


def test_an_outsiders_failure_is_left_alone_and_counts_no_placeholder():
    failure = Failure(kind=FailureKind.SERVER, detail="[[EMAIL_1_uo]]")
    kept = cover()
    assert kept.covered(failure, OUTSIDE) is failure
    assert kept.integrity == {}


def test_an_in_house_reply_that_cannot_be_masked_counts_as_a_failure_and_is_kept_from_everybody(monkeypatch):
    own = cover()
    break_on(monkeypatch, "secret")
    reply = Reply(text="a secret", usage=Usage(prompt_tokens=3), latency_s=1.5, response_id="r")
    found = own.covered(reply, INSIDE)
    assert (found.kind, found.usage, found.latency_s, found.response_id) == (
        FailureKind.MASKING,
        reply.usage,
        1.5,
        "r",
    )
    assert found.detail == "its reply cannot be shown to anybody: the detector brittle broke on it"
    failure = own.covered(Failure(kind=FailureKind.SERVER, detail="a secret"), INSIDE)
    assert failure == Failure(
        kind=FailureKind.SERVER, detail="what the provider said is not kept: the detector brittle broke on it"
    )


def test_a_schema_is_masked_where_placeholders_can_stand_and_blocks_where_they_cannot():
    held = {"type": "object", "properties": {"to": {"enum": [MAIL]}}}
    masked = cover().question(asked(schema=json.dumps(held)))
    assert json.loads(masked.schema)["properties"]["to"]["enum"] == ["[[EMAIL_1_uo]]"]
    card = '{"type": "object", "properties": {"card": {"const": 4111111111111111}}}'
    with pytest.raises(UnmaskableSchema, match="Nothing was sent"):
        cover().question(asked(schema=card))


def test_the_places_of_evidence_and_choices_are_counted_those_of_replies_are_not():
    whole = cover()
    whole.question(asked(evidence=f"{MAIL}, {MAIL}", choices=(MAIL, "none")))
    assert dict(whole.counts) == {"EMAIL": 4}
    whole.covered(Reply(text=MAIL), INSIDE)
    assert dict(whole.counts) == {"EMAIL": 4}


def test_what_belongs_to_the_question_but_is_never_sent_gets_the_same_placeholders_and_counts_nowhere():
    own = cover()
    assert own.mask(f"{MAIL}, bob@example.org") == "[[EMAIL_1_uo]], [[EMAIL_2_tz]]"
    assert own.mask("bob@example.org") == "[[EMAIL_2_tz]]"
    assert dict(own.counts) == {"EMAIL": 1}
    assert cover_of(asked(), None).mask(MAIL) == MAIL
