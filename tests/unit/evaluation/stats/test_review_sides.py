from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from evaluation.stats.review_sides import first_is_a, gold_is_due

SEED = "5e" * 32
SEEDS = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(SEEDS, st.integers(1, 2**31), st.integers(0, 2_000))
def test_the_next_slot_shows_the_complement(seed, item, number):
    assert first_is_a(seed, item, number) is not first_is_a(seed, item, number + 1)
    assert first_is_a(seed, item, number) is first_is_a(seed, item, number + 2)


def test_the_side_is_a_bit_of_the_hmac():
    digest = hmac.new(SEED.encode(), b"side:7", hashlib.sha256).digest()
    assert first_is_a(SEED, 7, 0) is bool(digest[0] & 1)


def test_sides_are_balanced_over_items():
    share = sum(first_is_a(SEED, item, 0) for item in range(10_000)) / 10_000
    assert abs(share - 0.5) < 0.02


def test_another_seed_shows_other_sides():
    same = sum(first_is_a(SEED, item, 0) is first_is_a("a1" * 32, item, 0) for item in range(1_000))
    assert 400 < same < 600


@given(SEEDS, st.integers(1, 10**6), st.integers(0, 10**4))
def test_gold_is_never_due_at_a_share_of_0_and_always_at_1(seed, person, number):
    assert not gold_is_due(seed, person, number, 0.0)
    assert gold_is_due(seed, person, number, 1.0)


def test_gold_comes_up_by_its_share_and_at_other_places_for_others():
    due = [gold_is_due(SEED, 1, number, 0.05) for number in range(20_000)]
    assert abs(sum(due) / len(due) - 0.05) < 0.006
    assert due != [gold_is_due(SEED, 2, number, 0.05) for number in range(20_000)]
