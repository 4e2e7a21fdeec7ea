from __future__ import annotations

import pytest

from panels.fusion.privacy.national_ids import NATIONAL_IDS, find_national_ids

# From python-stdnum's own documentation, or published by the issuing office as an example.
EXAMPLES = {
    "US SSN": "536-90-4399",
    "GB NINO": "AB 12 34 56 C",
    "GB NHS number": "943 476 5919",
    "DE IdNr": "36 574 261 809",
    "FR NIR": "2 95 10 99 126 111 93",
    "NL BSN": "1112.22.333",
    "ES DNI": "54362315-K",
    "ES NIE": "x-2482300w",
    "IT codice fiscale": "RCCMNL83S18D969H",
    "PL PESEL": "44051401359",
    "BE NN": "85.07.30-033 28",
    "SE personnummer": "880320-0016",
    "DK CPR": "211062-5629",
    "FI HETU": "131052-308T",
    "CH AHV": "756.9217.0769.85",
    "BR CPF": "390.533.447-05",
}


def found(text):
    return {text[start:end] for start, end in find_national_ids(text)}


def test_every_kind_of_number_has_an_example():
    assert {national_id.name for national_id in NATIONAL_IDS} == set(EXAMPLES)


@pytest.mark.parametrize("number", EXAMPLES.values(), ids=EXAMPLES)
def test_the_number_is_found_in_a_sentence(number):
    assert found(f"Their number ({number}), as given.") == {number}


@pytest.mark.parametrize(
    "number",
    [
        "666-90-4399",
        "GB123456C",
        "943 476 5918",
        "36 574 261 808",
        "2 95 10 99 126 111 94",
        "1112.22.334",
        "54362315-Z",
        "RCCMNL83S18D969A",
        "44051401358",
        "880320-0018",
        "139952-308T",
        "756.9217.0769.84",
        "390.533.447-04",
        "1.536-90-4399",
        "536-90-43991",
    ],
)
def test_wrong_check_digits_and_parts_of_longer_numbers_are_none(number):
    assert found(number) == set()


@pytest.mark.parametrize("text", ["BSN: 111222333", "burgerservicenummer is 111222333", "NHS no. 9434765919"])
def test_bare_numbers_that_pass_too_often_need_their_name_before_them(text):
    number = text.split()[-1]
    assert found(text) == {number}
    assert found(f"order {number}") == set()
    assert found(f"{number} is the BSN or NHS number") == set()
