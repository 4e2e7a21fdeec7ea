from __future__ import annotations

from dataclasses import replace

import pytest

from panels.fusion.replies import reply_key, seat_twins
from panels.fusion.types import Member, Message, ModelRequest, Sampling

REQUEST = ModelRequest(model="m", messages=(Message(role="user", content="Which?"),), sampling=Sampling(max_tokens=5))


def test_the_key_is_a_hash_that_does_not_change_between_processes():
    key = reply_key(provider="p", request=REQUEST)
    assert key == "f59e6570d1b89a1ecdc74d546c64b398f0ed111a8e1147d9a4879043b3863aa5"


def test_how_a_request_was_masked_is_part_of_the_key():
    keys = {reply_key(provider="p", request=REQUEST, masking=masking) for masking in (0, 1, 2, "1:ab", "1:ac")}
    assert len(keys) == 5
    # Replies bought before anything could be masked are still found.
    assert reply_key(provider="p", request=REQUEST) in keys


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, model="n"),
        replace(REQUEST, messages=(Message(role="system", content="Which?"),)),
        replace(REQUEST, messages=(Message(role="user", content="Which"), Message(role="user", content="?"))),
        replace(REQUEST, sampling=Sampling(max_tokens=6)),
        replace(REQUEST, sampling=Sampling(max_tokens=5, temperature=0.0)),
        replace(REQUEST, sampling=Sampling(max_tokens=5, top_p=0.0)),
        replace(REQUEST, sampling=Sampling(max_tokens=5, seed=0)),
        replace(REQUEST, twin=1),
    ],
)
def test_whatever_could_change_the_reply_changes_the_key(other):
    assert reply_key(provider="p", request=other) != reply_key(provider="p", request=REQUEST)


def test_the_provider_is_part_of_the_key_and_the_example_is_not():
    assert reply_key(provider="q", request=REQUEST) != reply_key(provider="p", request=REQUEST)
    assert reply_key(provider="p", request=replace(REQUEST, item_id="7")) == reply_key(provider="p", request=REQUEST)


def test_twins_count_equal_seats_alone():
    one, warm, other = Member(model="1"), Member(model="1", sampling=Sampling(temperature=1.0)), Member(model="2")
    assert seat_twins((one, warm, other, one, one)) == (0, 0, 0, 1, 2)
