from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.review_sample import (
    AGREED,
    CONTESTED,
    allocate,
    draw_disagreement_first,
    draw_random,
    draw_stratified,
)

COUNTS = st.dictionaries(st.text(max_size=5), st.integers(1, 60), max_size=8)


def by_stratum(drawn):
    return {name: [one.key for one in drawn if one.stratum == name] for name in {one.stratum for one in drawn}}


def test_a_random_sample_is_of_all_with_one_probability():
    drawn = draw_random(range(200), 50, seed="s")
    assert len({one.key for one in drawn}) == 50
    assert {one.inclusion for one in drawn} == {0.25}
    assert drawn == draw_random(range(200), 50, seed="s")
    assert drawn != draw_random(range(200), 50, seed="t")


def test_every_item_is_as_likely_as_its_inclusion_says():
    """Over many draws; 0.04 is four standard errors."""
    contested, agreed, times = range(10), range(10, 40), 2_000
    counts = dict.fromkeys(range(40), 0)
    stated = {}
    for number in range(times):
        for one in draw_disagreement_first(contested, agreed, 10, seed=str(number)):
            counts[one.key] += 1
            stated[one.key] = one.inclusion
    assert stated == dict.fromkeys(contested, 0.8) | dict.fromkeys(agreed, 2 / 30)
    assert all(abs(counts[key] / times - inclusion) < 0.04 for key, inclusion in stated.items())


@given(st.sets(st.integers(0, 99)), st.integers(0, 120))
def test_disagreement_first_never_takes_fewer_contested_than_chance_would(contested, size):
    agreed = sorted(set(range(100)) - contested)
    drawn = draw_disagreement_first(sorted(contested), agreed, size, seed="s")
    assert len(drawn) == len({one.key for one in drawn}) == min(size, 100)
    taken = by_stratum(drawn)
    assert set(taken.get(CONTESTED, [])) <= contested
    assert len(taken.get(CONTESTED, [])) >= min(size * len(contested) // 100, len(contested)) - 1
    if size > 1:
        assert bool(taken.get(AGREED)) is bool(agreed)


def test_one_agreed_item_is_always_among_them():
    drawn = draw_disagreement_first(range(99), [99], 10, seed="s")
    assert {one.stratum: one.inclusion for one in drawn} == {CONTESTED: 9 / 99, AGREED: 1.0}


def test_disagreement_first_of_nothing_is_nothing():
    assert draw_disagreement_first([], [], 10, seed="s") == []


def test_more_are_not_drawn_than_there_are():
    drawn = draw_random([3, 4], 10, seed="s")
    assert {(one.key, one.inclusion) for one in drawn} == {(3, 1.0), (4, 1.0)}


def test_strata_are_drawn_by_their_share():
    drawn = draw_stratified({"big": range(90), "small": range(90, 100), "none": []}, 20, seed="s")
    assert {name: len(keys) for name, keys in by_stratum(drawn).items()} == {"big": 18, "small": 2}
    assert {one.stratum: one.inclusion for one in drawn} == {"big": 0.2, "small": 0.2}


def test_a_small_stratum_is_not_forgotten():
    drawn = draw_stratified({"big": range(990), "small": range(990, 1000)}, 10, seed="s")
    assert {one.stratum: one.inclusion for one in drawn} == {"big": 9 / 990, "small": 0.1}


@given(COUNTS, st.integers(0, 300))
def test_shares_add_up_and_fit(counts, size):
    given_ = allocate(counts, size)
    total = sum(counts.values())
    assert set(given_) == set(counts)
    assert sum(given_.values()) == min(size, total)
    assert all(0 <= given_[name] <= counts[name] for name in counts)
    if size >= len(counts):
        assert all(given_.values())


@pytest.mark.parametrize(("size", "expected"), [(2, {"a": 1, "b": 1, "c": 0}), (0, {"a": 0, "b": 0, "c": 0})])
def test_fewer_places_than_strata_go_to_the_largest(size, expected):
    assert allocate({"a": 50, "b": 40, "c": 10}, size) == expected
