from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from panels.fusion.privacy.detectors import Detector, MaskingBlocked, default_detectors
from panels.fusion.privacy.masking import DEFAULT_DETECTORS, mask_question, remask
from panels.fusion.privacy.placeholders import Placeholder
from panels.fusion.privacy.unmasking import unmask
from panels.fusion.privacy.values import SensitiveValueTooShort
from panels.fusion.types import Message
from tests.unit.panels.fusion.privacy.masked_texts import EMAIL, HARD_TEXTS, mask

SYSTEM = Message(role="system", content="You answer for Dr Weiss, weiss@clinic.example.")
USER = Message(
    role="user",
    content="Anna Schmidt (anna.schmidt@x.org, +44 20 7946 0958) has flu. Write to Mrs Schmidt at ANNA.SCHMIDT@X.ORG.",
)


def placeholder(kind, number=1, spelling=""):
    return str(Placeholder(kind=kind, number=number, spelling=spelling))


def test_the_same_value_is_the_same_placeholder_in_every_message():
    masked = mask_question([SYSTEM, USER, USER], sensitive={"patient_name": "Anna Schmidt"})
    weiss, anna, again = masked.messages
    assert weiss == replace(SYSTEM, content=f"You answer for Dr Weiss, {placeholder('EMAIL')}.")
    assert anna == again
    assert anna.content == (
        f"{placeholder('PATIENTNAME')} ({placeholder('EMAIL', 2)}, {placeholder('PHONE')}) has flu. "
        f"Write to Mrs {placeholder('PATIENTNAME', 1, 'b')} at {placeholder('EMAIL', 2, 'b')}."
    )
    assert masked.counts == {"EMAIL": 5, "PATIENTNAME": 4, "PHONE": 2}
    assert [unmask(message.content, masked.placeholder_map).text for message in masked.messages] == [
        SYSTEM.content,
        USER.content,
        USER.content,
    ]


def test_masking_is_the_same_every_time():
    assert mask_question([USER], sensitive={}) == mask_question([USER], sensitive={})


def test_nothing_found_leaves_the_text_alone():
    masked = mask_question([Message(role="user", content="What is flu?")], sensitive={"name": "Anna"})
    assert masked.messages[0].content == "What is flu?"
    assert masked.counts == {}
    assert masked.placeholder_map.entries == ()


def test_a_name_within_an_address_does_not_leave_the_rest_of_the_address():
    masked = mask_question([USER], sensitive={"name": "schmidt"})
    assert "x.org" not in masked.messages[0].content.lower()


def test_nothing_prints_a_value():
    masked = mask_question([USER], sensitive={"patient_name": "Anna Schmidt"})
    again = remask("Anna Schmidt", masked.placeholder_map)
    shown = f"{masked!r} {again!r}"
    assert "EMAIL: 1" in shown
    for secret in ("Anna", "Schmidt", "x.org", "7946", "flu"):
        assert secret not in shown


@settings(max_examples=400, deadline=None)
@given(HARD_TEXTS)
def test_masked_and_back_is_the_text_itself(text):
    masked = mask(text)
    back = unmask(masked.messages[0].content, masked.placeholder_map)
    assert back.text == text
    assert back.count.restored == back.count.total == sum(masked.counts.values())


@settings(max_examples=400, deadline=None)
@given(HARD_TEXTS)
def test_masking_the_same_text_again_changes_nothing(text):
    masked = mask(text)
    again = remask(text, masked.placeholder_map)
    assert again.text == masked.messages[0].content
    assert again.placeholder_map == masked.placeholder_map
    assert again.counts == masked.counts


def test_text_that_looks_like_a_placeholder_is_put_aside():
    text = f"The form says {EMAIL} and email_9_zz; ask anna@x.org"
    masked = mask_question([Message(role="user", content=text)], sensitive={})
    assert masked.counts == {"EMAIL": 1, "TEXT": 2}
    assert masked.messages[0].content == (
        f"The form says {placeholder('TEXT')} and {placeholder('TEXT', 2)}; ask {placeholder('EMAIL')}"
    )


def test_a_reply_to_raw_text_is_masked_with_the_same_map_and_adds_to_it():
    masked = mask_question([USER], sensitive={"patient_name": "Anna Schmidt"})
    reply = remask("Tell Anna Schmidt to call Dr Weiss, weiss@clinic.example.", masked.placeholder_map)
    assert reply.text == (f"Tell {placeholder('PATIENTNAME')} to call Dr Weiss, {placeholder('EMAIL', 2)}.")
    assert reply.counts == {"PATIENTNAME": 1, "EMAIL": 1}
    assert reply.placeholder_map.entries[: len(masked.placeholder_map.entries)] == masked.placeholder_map.entries
    later = remask("Or weiss@clinic.example", reply.placeholder_map)
    assert later.text == f"Or {placeholder('EMAIL', 2)}"
    assert later.placeholder_map == reply.placeholder_map


def test_a_detector_that_breaks_stops_everything():
    broken = Detector(name="names", kind="PERSON", find=lambda text: [(0, 1 // 0)])
    with pytest.raises(MaskingBlocked, match="'names'"):
        mask_question([USER], sensitive={}, detectors=[*DEFAULT_DETECTORS, broken])
    masked = mask_question([USER], sensitive={})
    with pytest.raises(MaskingBlocked, match="'names'"):
        remask("text", masked.placeholder_map, detectors=[broken])


def test_a_value_of_one_character_stops_everything():
    with pytest.raises(SensitiveValueTooShort, match="'initial'"):
        mask_question([USER], sensitive={"initial": "A"})


def test_detectors_are_the_callers_to_choose():
    text = Message(role="user", content="call 0170 1234567")
    assert mask_question([text], sensitive={}).counts == {}
    german = default_detectors(phone_regions=("DE",))
    assert mask_question([text], sensitive={}, detectors=german).counts == {"PHONE": 1}
