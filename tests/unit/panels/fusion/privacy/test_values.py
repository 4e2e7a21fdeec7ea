from __future__ import annotations

import pytest

from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.values import (
    SensitiveValueTooShort,
    find_values,
    identity_of,
    kind_of_field,
    needles_of,
    sensitive_values,
)


def found(text, found_by_pattern=(), **fields):
    needles = needles_of(PlaceholderMap(kinds=(), sensitive=sensitive_values(fields)), found_by_pattern)
    return sorted({text[span.start : span.end] for span in find_values(text, needles)}, key=text.index)


def test_values_are_tried_longest_first():
    values = sensitive_values({"first_name": "Anna", "name": "Anna Schmidt", "note": " ", "none": ""})
    assert [value.value for value in values] == ["Anna Schmidt", "Anna"]


def test_a_single_character_is_refused_by_the_name_of_its_field():
    with pytest.raises(SensitiveValueTooShort, match="'initial' holds a single character") as caught:
        sensitive_values({"initial": " Q "})
    assert caught.value.field_name == "initial"
    assert "Q" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("patient_name", "PATIENTNAME"),
        ("email", "EMAIL"),
        ("adresse_du_domicile_principal", "ADRESSEDUDOMICIL"),
        ("имя", "FIELD"),
        ("n", "FIELD"),
    ],
)
def test_a_field_names_the_kind(name, kind):
    assert kind_of_field(name) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Anna von Schmidt",
        "ANNA VON SCHMIDT",
        "anna von schmidt",
        "Anna  von\nSchmidt",
        "Anna\u00a0von\u200b Schmidt",
        "Anna-von-Schmidt",
        "anna_von_schmidt",
        "AnnaVonSchmidt",
        "Anna%20von%20Schmidt",
        "Anna+von+Schmidt",
    ],
)
def test_a_value_is_found_however_it_is_spelled(text):
    assert found(f"Dear {text}, hello", case="Anna von Schmidt") == [text]


def test_accents_are_found_in_either_encoding_and_in_json():
    assert found("Zoë, Zoe\u0308, ZOË, Zo\\u00eb, Zo%C3%AB", cat="Zoë Katz") == []
    assert found("Zoë Katz; Zoe\u0308 KATZ; Zo\\u00eb Katz; Zo%C3%AB%20Katz", cat="Zoë Katz") == [
        "Zoë Katz",
        "Zoe\u0308 KATZ",
        "Zo\\u00eb Katz",
        "Zo%C3%AB%20Katz",
    ]


@pytest.mark.parametrize("text", ["Market", "Denmark", "markup", "éMark"])
def test_a_part_of_a_word_is_no_value(text):
    assert found(text, who="Mark") == []


@pytest.mark.parametrize("text", ["Marks", "Mark's", "Mark1", "_Mark_", "9Mark", "(mark)"])
def test_a_genitive_or_a_digit_does_not_hide_a_value(text):
    assert [value.lower() for value in found(text, who="Mark")] == ["mark"]


def test_digits_must_not_go_on():
    assert found("12345 x1234 1234x 1234", pin="1234") == ["1234"]
    assert len(found("12345 91234", pin="1234")) == 0


def test_short_values_are_found_as_they_are_written_only():
    assert found("Bo Al bo BO may", who="Bo") == ["Bo"]
    # The genitive of a short one is another word.
    assert found("Als", who="Al") == []


def test_scripts_without_blanks_have_no_words_to_end():
    assert found("田中さんは田中と言う", who="田中") == ["田中"]
    assert found("私はAnnaです", who="Anna") == ["Anna"]
    assert found("김철수는", who="김철수") == ["김철수"]


def test_numbers_are_found_whatever_separates_their_digits():
    assert found("AB-12-34-56, ab123456 and AB 123 456", case="AB-123456") == ["AB-12-34-56", "ab123456", "AB 123 456"]
    # Too far apart to be one number, or part of a longer one.
    assert found("AB 12 ----- 3456, AB1234567", case="AB-123456") == []


def test_addresses_with_other_dots_are_other_addresses():
    assert found("anna.b@x.org, annab@x.org", mail="annab@x.org") == ["annab@x.org"]
    assert identity_of("anna.b@x.org") != identity_of("annab@x.org")
    assert identity_of("+44 20 7946 0958") == identity_of("+442079460958")


def test_of_a_persons_name_the_parts_are_found_too():
    text = "Anna, Schmidt, SCHMIDT, Schmidts, schmidt, anna, von"
    assert found(text, patient_name="Anna von Schmidt") == ["Anna", "Schmidt", "SCHMIDT"]
    assert found(text, patientName="Anna von Schmidt") == ["Anna", "Schmidt", "SCHMIDT"]
    assert found("O'Neill and Jo", full_name="Jo O'Neill") == ["O'Neill"]


@pytest.mark.parametrize("field", ["patient", "company_name", "file_name", "named"])
def test_of_other_values_only_the_whole_is_found(field):
    assert found("Bank, Deutsche, Deutsche Bank", **{field: "Deutsche Bank"}) == ["Deutsche Bank"]


def test_what_a_pattern_found_once_is_found_in_other_spellings():
    assert found("a@x.org, A@X.ORG, a%40x.org", [("EMAIL", "a@x.org")]) == ["a@x.org", "A@X.ORG", "a%40x.org"]


def test_a_value_that_nobody_can_see_is_not_looked_for():
    assert found("anything\u200b\u200b", blank="\u200b\u200b") == []


def test_no_value_is_printed():
    values = sensitive_values({"patient_name": "Anna von Schmidt"})
    assert "Schmidt" not in repr((values, needles_of(PlaceholderMap(kinds=(), sensitive=values))))
