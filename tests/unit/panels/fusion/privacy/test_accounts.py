from __future__ import annotations

import pytest

from panels.fusion.privacy.accounts import find_cards, find_ibans


def found(find, text):
    return [text[start:end] for start, end in find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The examples of the IBAN registry (SWIFT).
        ("GB29NWBK60161331926819", ["GB29NWBK60161331926819"]),
        ("IBAN: DE89 3704 0044 0532 0130 00, thanks", ["DE89 3704 0044 0532 0130 00"]),
        ("pay to nl91 abna 0417 1643 00 today", ["nl91 abna 0417 1643 00"]),
        ("NO9386011117947 now", ["NO9386011117947"]),
        ("MT84MALT011000012345MTLCAST001S", ["MT84MALT011000012345MTLCAST001S"]),
        # One digit wrong, one too many, no such country, too short.
        ("DE89370400440532013001", []),
        ("DE893704004405320130001", []),
        ("XX89 3704 0044 0532 0130 00", []),
        ("DE89 3704", []),
        ("the word ab12 and more words after it", []),
    ],
)
def test_ibans(text, expected):
    assert found(find_ibans, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111 1111 1111 1111 12/27", ["4111 1111 1111 1111"]),
        ("4111111111111111, 5555-5555-5555-4444", ["4111111111111111", "5555-5555-5555-4444"]),
        ("Amex 3782 822463 10005 or 378282246310005", ["3782 822463 10005", "378282246310005"]),
        ("Diners 3056 930902 5904", ["3056 930902 5904"]),
        # Luhn's check fails, mixed separators, a timestamp, part of a longer number.
        ("4111 1111 1111 1112", []),
        ("4111-1111 1111-1111", []),
        ("1700000000000", []),
        ("94111111111111111", []),
        ("4111 1111 1111", []),
    ],
)
def test_cards(text, expected):
    assert found(find_cards, text) == expected
