from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.retry import (
    RetryPolicy,
    attempts_of,
    delay_s,
    duration_s,
    may_be_billed,
    may_retry,
    next_pause,
)
from panels.fusion.types import Failure, FailureKind, Reply, Usage

POLICY = RetryPolicy(attempts=3, base_s=0.5, longest_s=8.0, budget_s=30.0)
PASSING = {FailureKind.CONNECTION, FailureKind.RATE_LIMITED, FailureKind.SERVER}


def failed(kind: FailureKind = FailureKind.SERVER, **fields) -> Failure:
    return Failure(kind=kind, detail="", **fields)


@pytest.mark.parametrize("kind", FailureKind)
def test_only_what_may_pass_is_tried_again(kind):
    assert may_retry(failed(kind)) is (kind in PASSING)


def test_a_request_that_never_arrived_is_tried_again_and_was_not_billed():
    late, silent = failed(FailureKind.TIMEOUT, status_code=408), failed(FailureKind.TIMEOUT)
    assert (may_retry(late), may_be_billed(late)) == (True, False)
    assert (may_retry(silent), may_be_billed(silent)) == (False, True)


@pytest.mark.parametrize("usage", [Usage(prompt_tokens=1), Usage(completion_tokens=1), Usage(reported_cost_nanousd=1)])
def test_what_has_used_tokens_or_money_is_not_bought_twice(usage):
    assert not may_retry(failed(usage=usage))
    assert may_retry(failed(usage=Usage(prompt_tokens=0)))


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("status", [None, 200, 400, 408, 409, 429, 500, 503, 529])
def test_nothing_that_is_tried_again_may_have_been_billed(kind, status):
    failure = failed(kind, status_code=status)
    assert not (may_retry(failure) and may_be_billed(failure))


@pytest.mark.parametrize(("attempt", "pause"), [(1, 0.25), (2, 0.5), (3, None)])
def test_pauses_double_and_attempts_end(attempt, pause):
    assert next_pause(failed(), attempt=attempt, elapsed_s=0, policy=POLICY, rng=lambda: 0.5) == pause


def test_a_pause_has_a_longest_length():
    patient = RetryPolicy(attempts=99, base_s=1, longest_s=4, budget_s=1000)
    assert next_pause(failed(), attempt=20, elapsed_s=0, policy=patient, rng=lambda: 1.0) == 4


def test_what_the_provider_asked_for_is_waited_in_full_or_not_at_all():
    def pause(retry_after_s: float, elapsed_s: float = 0.0) -> float | None:
        asked = failed(FailureKind.RATE_LIMITED, retry_after_s=retry_after_s)
        return next_pause(asked, attempt=1, elapsed_s=elapsed_s, policy=POLICY, rng=lambda: 0.0)

    assert pause(12) == 12
    assert pause(31) is None
    assert pause(12, elapsed_s=18) == 12
    assert pause(12, elapsed_s=18.1) is None


@given(
    attempt=st.integers(1, 10),
    elapsed=st.floats(0, 100),
    asked=st.none() | st.floats(0, 100),
    random=st.floats(0, 1, exclude_max=True),
    budget=st.floats(0, 60),
)
def test_no_attempt_begins_after_the_budget_or_before_the_provider_allows(attempt, elapsed, asked, random, budget):
    policy = RetryPolicy(budget_s=budget)
    failure = failed(FailureKind.RATE_LIMITED, retry_after_s=asked)
    pause = next_pause(failure, attempt=attempt, elapsed_s=elapsed, policy=policy, rng=lambda: random)
    if pause is not None:
        assert attempt < policy.attempts
        assert (asked or 0.0) <= pause <= (asked or 0.0) + policy.longest_s
        assert elapsed + pause <= budget


def test_a_call_takes_as_long_as_its_attempts_and_pauses():
    first, second = failed(latency_s=1.0, pause_s=0.5), failed(latency_s=2.0, pause_s=0.25)
    reply = Reply(text="A", latency_s=4.0, earlier=(first, second))
    assert attempts_of(reply) == (first, second, reply)
    assert (delay_s(reply), duration_s(reply)) == (3.75, 7.75)
    assert (delay_s(Reply(text="A")), duration_s(Reply(text="A"))) == (0.0, None)
    unmeasured = Reply(text="A", latency_s=4.0, earlier=(failed(), second))
    assert (delay_s(unmeasured), duration_s(unmeasured)) == (None, None)
