"""Whether a failed attempt is tried again, and after how long. Full jitter: AWS Architecture Blog, "Exponential
Backoff And Jitter" (2015).

Tried again is only what cannot have been billed: no connection or one that broke before any reply, 408 (the request
never arrived whole, RFC 9110 15.5.9), 409, 429, 5xx and 529. So one worst case, set aside once, covers all attempts of
a call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum

from panels.fusion.types import Failure, FailureKind, Reply, Usage

REQUEST_TIMEOUT = 408
_PASSING = frozenset({FailureKind.CONNECTION, FailureKind.RATE_LIMITED, FailureKind.SERVER})
# After these a provider may have done, and billed, the whole work; what it charged is not known.
_MAYBE_BILLED = frozenset({FailureKind.TIMEOUT, FailureKind.STREAM_CUT, FailureKind.MALFORMED})
_NOTHING_USED = (None, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is tried. ``base_s`` bounds the first pause and doubles up to ``longest_s``.

    No attempt begins more than ``budget_s`` after the first began.
    """

    attempts: int = 3
    base_s: float = 0.5
    longest_s: float = 8.0
    budget_s: float = 30.0


def may_be_billed(failure: Failure) -> bool:
    """Whether the provider may charge for it without our knowing how much."""
    return failure.kind in _MAYBE_BILLED and failure.status_code != REQUEST_TIMEOUT


def may_retry(failure: Failure) -> bool:
    """Whether the same request may go better next time, and nothing was used so far."""
    passing = failure.kind in _PASSING or failure.status_code == REQUEST_TIMEOUT
    return passing and not _used(failure.usage)


def _used(usage: Usage) -> bool:
    counted = (usage.prompt_tokens, usage.completion_tokens, usage.reported_cost_nanousd)
    return any(number not in _NOTHING_USED for number in counted)


def next_pause(
    failure: Failure, *, attempt: int, elapsed_s: float, policy: RetryPolicy, rng: Callable[[], float]
) -> float | None:
    """Seconds to wait before the attempt after number ``attempt``; None: this was the last.

    ``elapsed_s`` is since the first attempt began, ``rng`` gives numbers in [0, 1). What the provider asked for is
    waited for in full and jitter comes on top, so that those it turned away do not come back all at once.
    """
    if attempt >= policy.attempts or not may_retry(failure):
        return None
    jitter = rng() * min(policy.longest_s, policy.base_s * 2.0 ** (attempt - 1))
    pause = jitter + (failure.retry_after_s or 0.0)
    return pause if elapsed_s + pause <= policy.budget_s else None


def attempts_of(result: Reply | Failure) -> tuple[Reply | Failure, ...]:
    """Every attempt of a call, oldest first; the last one is the result."""
    return (*result.earlier, result)


def delay_s(result: Reply | Failure) -> float | None:
    """Seconds from the first attempt's beginning to the last one's; None if one was not measured."""
    latencies = [failure.latency_s for failure in result.earlier]
    if None in latencies:
        return None
    return fsum([latency or 0.0 for latency in latencies]) + fsum(failure.pause_s for failure in result.earlier)


def duration_s(result: Reply | Failure) -> float | None:
    """Seconds that the call took with all its attempts and the pauses between; None if one was not measured."""
    before = delay_s(result)
    return None if before is None or result.latency_s is None else before + result.latency_s
