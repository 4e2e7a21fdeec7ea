from __future__ import annotations

from panels.fusion.privacy.masking import mask_question
from panels.fusion.privacy.spellings import alike_spellings
from panels.fusion.types import Message

SENSITIVE = {"patient_name": "Anna Schmidt"}


def masked(text: str):
    return mask_question([Message(role="user", content=text)], sensitive=SENSITIVE)


def compared(text: str) -> str:
    found = masked(text)
    return alike_spellings(found.messages[0].content, found.placeholder_map)


def test_spellings_that_differ_in_case_width_or_blanks_compare_as_one():
    first, *others = compared("Anna Schmidt|ANNA SCHMIDT|anna  schmidt|Ａｎｎａ Schmidt").split("|")
    assert others == [first] * 3


def test_a_part_of_a_name_and_another_way_of_writing_a_number_stay_what_they_are():
    whole, part, other_case = compared("Anna Schmidt|Schmidt|SCHMIDT").split("|")
    assert whole != part
    assert part == other_case
    plain, spaced = compared("DE89370400440532013000|DE89 3704 0044 0532 0130 00").split("|")
    assert plain != spaced


def test_text_that_only_looks_like_a_placeholder_is_left_alone():
    text = masked("[[EMAIL_1_uo]] and [[email_1_uo]]").messages[0].content
    assert compared("[[EMAIL_1_uo]] and [[email_1_uo]]") == text
