"""Texts that are hard to mask: values beside values, and everything that looks like a placeholder."""

from __future__ import annotations

from hypothesis import strategies as st

from panels.fusion.privacy.masking import Masked, mask_question
from panels.fusion.privacy.placeholders import Placeholder
from panels.fusion.types import Message

SENSITIVE = {
    "patient_name": "Anna von Schmidt",
    "nick": "Bo",
    "first": "Zoë",
    "case": "AB-123456",
    "word": "email",
    "jp": "田中",
}
VALUES = (
    "Anna von Schmidt",
    "anna  von\nschmidt",
    "ANNA",
    "Schmidts",
    "schmidt",
    "Anna\u200bvon Schmidt",
    "anna.schmidt@x.org",
    "ANNA.SCHMIDT@X.ORG",
    "anna.schmidt%40x.org",
    "Zoë",
    "ZOE\u0308",
    "Zo\\u00eb",
    "Bo",
    "ab123456",
    "AB 12 34 56",
    "+44 20 7946 0958",
    "+442079460958",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "10.0.0.1",
    "fe80::1",
    "536-90-4399",
    "https://u:p@h.org/?token=abc",
    "田中",
)
EMAIL = Placeholder(kind="EMAIL", number=1)
LOOKALIKES = (
    str(EMAIL),
    f"EMAIL_1_{EMAIL.check}",
    f"_1_{EMAIL.check}",
    "[[EMAIL_1",
    f"_{EMAIL.check}]]",
    "[[EMAIL_1]]",
    "[[email_2_zz]]",
    str(Placeholder(kind="PATIENTNAME", number=1)),
    str(Placeholder(kind="TEXT", number=1)),
    "EMAIL",
    EMAIL.check,
)
GLUE = (*'[]\\_ \n:@/+x1é"&%', "[[", "]]", "\u0301", "ﬁ", "ß", "さん")
HARD_TEXTS = st.lists(st.sampled_from((*VALUES, *LOOKALIKES, *GLUE)), min_size=1, max_size=14).map("".join)


def mask(text: str) -> Masked:
    return mask_question([Message(role="user", content=text)], sensitive=SENSITIVE)
