from __future__ import annotations

import re

import pytest

from panels.fusion.privacy.masking import MASKING_VERSION, mask_question, remask
from panels.fusion.privacy.trust import can_reuse, masking_of, view_for
from panels.fusion.types import Message

SECRET = b"s" * 32
QUESTION = (
    Message(role="system", content="Be brief. [[EMAIL_1]]"),
    Message(role="user", content="Anna Schmidt of anna@x.org"),
)


def masked_for(name):
    messages = [Message(role="user", content=f"{name} has flu")]
    return mask_question(messages, sensitive={"patient": name})


def test_an_in_house_member_sees_the_question_itself_and_others_the_masked_one():
    masked = mask_question(QUESTION, sensitive={"name": "Anna Schmidt"})
    assert view_for(masked, member_is_in_house=True) == QUESTION
    assert view_for(masked, member_is_in_house=False) == masked.messages


def test_replies_to_masked_text_are_shared_and_replies_to_raw_text_are_not():
    anna, peter = masked_for("Anna Schmidt"), masked_for("Peter Klein")
    assert anna.messages == peter.messages
    outside = {masking_of(masked, member_is_in_house=False, secret=SECRET) for masked in (anna, peter)}
    assert outside == {MASKING_VERSION}
    inside = [masking_of(masked, member_is_in_house=True, secret=SECRET) for masked in (anna, peter, anna)]
    assert inside[0] == inside[2] != inside[1]


def test_the_digest_depends_on_the_secret_and_holds_no_value():
    anna = masked_for("Anna Schmidt")
    first, second = (masking_of(anna, member_is_in_house=True, secret=secret) for secret in (SECRET, b"t" * 32))
    assert first != second
    assert re.fullmatch(f"{MASKING_VERSION}:[0-9a-f]{{64}}", str(first))


@pytest.mark.parametrize("content", ["", "What is flu?"])
def test_where_nothing_was_masked_both_see_the_same(content):
    masked = mask_question([Message(role="user", content=content)], sensitive={})
    assert view_for(masked, member_is_in_house=True) == view_for(masked, member_is_in_house=False)


def test_a_kept_in_house_reply_is_reused_unless_it_brought_something_up_itself():
    masked = mask_question(QUESTION, sensitive={"name": "Anna Schmidt"})
    plain = remask("Ask Anna Schmidt. [[EMAIL_1]]", masked.placeholder_map).text
    own = remask("Ask Dr Weiss, weiss@x.org", masked.placeholder_map).text
    assert [can_reuse(text, masked, member_is_in_house=True) for text in (plain, own)] == [True, False]
    # What others make up is no value of anybody, in this request or another.
    assert can_reuse(own, masked, member_is_in_house=False)
