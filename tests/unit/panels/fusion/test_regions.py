import pytest

from panels.fusion.regions import is_covered, region_code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("East US 2", "east-us-2"),
        (" eu-central-1 ", "eu-central-1"),
        ("US", "us"),
        ("--", ""),
        ("", ""),
        ("é", ""),
        ("a" * 59 + " b" * 9, "a" * 59),
    ],
)
def test_a_region_is_a_short_code(name, code):
    assert region_code(name) == code


def test_a_region_covers_its_parts_and_nothing_that_merely_begins_alike():
    assert is_covered("eu", ["us", "eu"])
    assert is_covered("eu-west-1", ["eu"])
    assert not is_covered("europe", ["eu"])
    assert not is_covered("eu", ["eu-west-1"])
    assert not is_covered("us", [])
