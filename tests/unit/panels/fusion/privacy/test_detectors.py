from __future__ import annotations

import traceback

import pytest

from panels.fusion.privacy.detectors import Detector, MaskingBlocked, default_detectors, detect

SECRET = "Anna has flu"


def broken(text):
    raise ValueError(f"cannot read {text}")


def broken_late(text):
    yield 0, 1
    raise ValueError(f"cannot read {text}")


@pytest.mark.parametrize(
    "find",
    [
        broken,
        broken_late,
        lambda text: [(0, len(text) + 1)],
        lambda text: [(-1, 2)],
        lambda text: [(3, 3)],
        lambda text: None,
        lambda text: [("0", "1")],
        lambda text: [(1,)],
    ],
)
def test_a_detector_that_breaks_blocks_and_is_named_without_the_text(find):
    with pytest.raises(MaskingBlocked, match="'odd'") as caught:
        detect(SECRET, [Detector(name="odd", kind="ODD", find=find)])
    assert caught.value.detector == "odd"
    # Neither the message nor a cause that a log would print.
    assert "flu" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_order_is_fixed():
    assert [detector.kind for detector in default_detectors()] == [
        "CREDENTIAL",
        "EMAIL",
        "IBAN",
        "CARD",
        "IP",
        "PHONE",
        "ID",
    ]


def test_phone_regions_are_passed_on():
    text = "call 0170 1234567"
    assert detect(text, default_detectors()) == []
    assert [span.kind for span in detect(text, default_detectors(phone_regions=["DE"]))] == ["PHONE", "PHONE"]


def test_an_accent_on_the_last_character_belongs_to_the_hit():
    [span] = detect("ae\u0301.", [Detector(name="e", kind="EE", find=lambda text: [(1, 2)])])
    assert (span.start, span.end) == (1, 3)
