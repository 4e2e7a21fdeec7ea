"""A model's client with all that keeps one bad provider from being everybody's trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic

from panels.fusion.breaker import Breaker, Ticket, judge
from panels.fusion.limits import AdaptiveLimit
from panels.fusion.retry import RetryPolicy, next_pause
from panels.fusion.types import Failure, FailureKind, ModelClient, ModelRequest, Reply

_SHORTEST_WAIT_S = 0.05
_DEFAULT_POLICY = RetryPolicy()


async def _unshared() -> bool:
    """Where no other process shares the breaker, its one probe is ours."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ResilientClient:
    """A ``ModelClient`` that tries again what may pass, behind the breaker of its model and the limit of its provider.

    Every attempt passes both. What failed before the result stands in its ``earlier``. While the breaker is open, a
    call comes back as BREAKER_OPEN at once. Only where nobody waits for the answer may it sit out an outage, for up to
    ``patience_s`` from the outage's beginning, so that a run does not go on without a member that is soon back.

    ``claim_probe`` asks the other processes whether the probe is ours.
    """

    inner: ModelClient
    breaker: Breaker
    limit: AdaptiveLimit
    policy: RetryPolicy = _DEFAULT_POLICY
    patience_s: float = 0.0
    claim_probe: Callable[[], Awaitable[bool]] = _unshared
    now: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    rng: Random = field(default_factory=Random)

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        result, _ = await self._attempt(request, patience_s=self.patience_s)
        began = self.now() - (result.latency_s or 0.0)
        earlier: tuple[Failure, ...] = ()
        while isinstance(result, Failure):
            pause_s = self._next_pause(result, len(earlier) + 1, self.now() - began)
            if pause_s is None:
                break
            await self.sleep(pause_s)
            left_s = self.policy.budget_s - (self.now() - began)
            following, waited_s = await self._attempt(request, patience_s=min(self.patience_s, left_s))
            if _was_not_sent(following):
                break
            earlier = (*earlier, replace(result, pause_s=pause_s + waited_s))
            result = following
        return replace(result, earlier=earlier) if earlier else result

    def _next_pause(self, failure: Failure, attempt: int, elapsed_s: float) -> float | None:
        return next_pause(failure, attempt=attempt, elapsed_s=elapsed_s, policy=self.policy, rng=self.rng.random)

    async def _attempt(self, request: ModelRequest, *, patience_s: float) -> tuple[Reply | Failure, float]:
        """What came of one attempt, BREAKER_OPEN if it was not sent, and for how many seconds it sat out an outage."""
        waited_s = 0.0
        while True:
            result = await self._try_to_send(request)
            if not _was_not_sent(result):
                return result, waited_s
            # Not all at the same time when the pause is over: the first one's probe would turn the others away.
            wait_s = max(_SHORTEST_WAIT_S, self.breaker.left_s()) * (1 + self.rng.random() / 10)
            if self.breaker.outage_s >= self.patience_s or waited_s + wait_s > patience_s:
                return result, waited_s
            await self.sleep(wait_s)
            waited_s += wait_s

    async def _try_to_send(self, request: ModelRequest) -> Reply | Failure:
        if left_s := self.breaker.left_s():
            return _turned_away(left_s)
        since = await self.limit.acquire()
        try:
            ticket = await self._enter()
            if ticket is None:
                return _turned_away(self.breaker.left_s())
            return await self._send(request, ticket, since)
        finally:
            self.limit.release()

    async def _enter(self) -> Ticket | None:
        ticket = self.breaker.enter()
        if ticket is None or not ticket.is_probe:
            return ticket
        claimed = None
        try:
            claimed = await self.claim_probe()
        finally:
            if claimed is None:
                self.breaker.return_unused(ticket)
        if claimed:
            return ticket
        self.breaker.yield_probe(ticket)
        return None

    async def _send(self, request: ModelRequest, ticket: Ticket, since: float) -> Reply | Failure:
        result = None
        try:
            result = await self.inner.complete(request)
        finally:
            if result is None:
                self.breaker.return_unused(ticket)
        self._learn(result, ticket, since)
        return result

    def _learn(self, result: Reply | Failure, ticket: Ticket, since: float) -> None:
        # A probe is alone: if even that is one too many, speed is not what ails the model.
        verdict = judge(result, at_floor=ticket.is_probe or self.limit.at_floor)
        if isinstance(result, Reply):
            self.limit.succeeded()
            self.breaker.leave(ticket, verdict)
            return
        self.breaker.leave(ticket, verdict, detail=result.detail, retry_after_s=result.retry_after_s)
        if result.kind is FailureKind.RATE_LIMITED:
            self._learn_pace(ticket, since)

    def _learn_pace(self, ticket: Ticket, since: float) -> None:
        if self.breaker.outage() is None:
            self.limit.throttled(since=since)
        elif not ticket.is_probe:
            # One model's own quota has run out; its neighbours at the provider were slowed down for nothing.
            self.limit.restore()


def _turned_away(left_s: float) -> Failure:
    return Failure(
        kind=FailureKind.BREAKER_OPEN,
        detail=f"not asked: this model failed too often; it is tried again in {max(1, round(left_s))} s",
        retry_after_s=left_s,
        latency_s=0.0,
    )


def _was_not_sent(result: Reply | Failure) -> bool:
    return isinstance(result, Failure) and result.kind is FailureKind.BREAKER_OPEN
