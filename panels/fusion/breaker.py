"""The circuit breaker of one model at one provider: while it is open, nothing is sent. Source: M. Nygard, Release It!

Closed, it opens at half of at least ten calls failed within a minute, or at five failures in a row. Open, it turns
every call away at once. After a pause, longer each time, one call goes through as a probe: closed if it is answered,
open for longer if it fails.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from panels.fusion.types import Failure, FailureKind, Reply

# How the provider is, by what it did. Refusals, and errors that say what is wrong with the request or the account, are
# answers of a provider that works; opening would only hide what has to be mended.
_ILL = frozenset(
    {
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
        FailureKind.SERVER,
        FailureKind.MALFORMED,
        FailureKind.STREAM_CUT,
    }
)
# These were not asked, or have been asked too fast, which is for the limit to mend.
_UNDECIDED = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.NOT_RECORDED,
        FailureKind.BREAKER_OPEN,
        FailureKind.CEILING,
        FailureKind.DEADLINE,
    }
)
# How long a process waits to hear what came of another's probe before it asks again whether it may probe itself.
PROBED_ELSEWHERE_S = 1.0


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Verdict(StrEnum):
    """What a result says of the provider."""

    WELL = "well"
    ILL = "ill"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how many seconds. The pause grows by ``growth`` with every probe that fails."""

    window_s: float = 60.0
    least_calls: int = 10
    failing_share: float = 0.5
    failures_in_row: int = 5
    first_pause_s: float = 2.0
    growth: float = 2.0
    longest_pause_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What processes tell each other of a breaker that is not closed: seconds until it may be probed, and the pause."""

    left_s: float
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReading:
    """A breaker at one moment. ``left_s`` is until the next probe; calls and failures are of the window."""

    state: BreakerState
    left_s: float
    calls: int
    failures: int
    last_failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that the breaker let through. ``era`` tells it from calls let through before the state last changed."""

    era: int
    is_probe: bool = False


def judge(result: Reply | Failure, *, at_floor: bool = False) -> Verdict:
    """What a result says of the provider. ``at_floor``: a 429 is no matter of speed any more."""
    if isinstance(result, Reply):
        return Verdict.WELL
    if result.kind is FailureKind.RATE_LIMITED and at_floor:
        return Verdict.ILL
    if result.kind in _UNDECIDED:
        return Verdict.UNDECIDED
    return Verdict.ILL if result.kind in _ILL else Verdict.WELL


class Breaker:
    """Holds for calls of several event loops and threads: every change is made under one short lock.

    ``now`` is any clock in seconds that does not go back. ``on_change`` hears of an outage that this process found,
    and of None when it ended one, under that lock; it must not wait.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        rules: BreakerRules | None = None,
        on_change: Callable[[Outage | None], object] | None = None,
    ) -> None:
        self._now = now
        self._rules = rules or BreakerRules()
        self._on_change = on_change
        self._lock = threading.Lock()
        self._window = _Window(seconds=self._rules.window_s)
        self._in_row = 0
        self._era = 0
        # Handed to every call while closed. One attribute, so that it is read without the lock.
        self._pass: Ticket | None = Ticket(era=0)
        self._open_until: float | None = None
        self._pause_s = 0.0
        self._ill_since = 0.0
        self._probing = False
        self._last_failure = ""

    def left_s(self) -> float:
        """Seconds for which calls are turned away from now on; 0 if one may come."""
        until = self._open_until
        if until is None:
            return 0.0
        # To everybody else a probe is as good as open; how long it takes, nobody knows.
        return self._rules.first_pause_s if self._probing else max(0.0, until - self._now())

    def enter(self) -> Ticket | None:
        """Lets a call through, or not. Whoever gets a ticket hands it in again, by one of the next three."""
        ticket = self._pass
        return ticket if ticket is not None else self._enter_open()

    def _enter_open(self) -> Ticket | None:
        with self._lock:
            if self._open_until is None:
                return self._pass
            if self._probing or self._now() < self._open_until:
                return None
            self._probing = True
            return Ticket(era=self._era, is_probe=True)

    def leave(self, ticket: Ticket, verdict: Verdict, *, detail: str = "", retry_after_s: float | None = None) -> None:
        """Hands in what came of a call. Calls that began before the state last changed decide nothing any more."""
        with self._lock:
            if ticket.era != self._era:
                return
            if verdict is Verdict.ILL:
                self._last_failure = detail
            changed = (self._end_probe if ticket.is_probe else self._count)(verdict, retry_after_s)
            if changed and self._on_change is not None:
                self._on_change(self.outage())

    def return_unused(self, ticket: Ticket) -> None:
        """For a call that was cancelled, or never sent: another may probe in its place."""
        self.leave(ticket, Verdict.UNDECIDED)

    def yield_probe(self, ticket: Ticket) -> None:
        """For a probe that is not sent because another process has one under way."""
        with self._lock:
            if ticket.era == self._era:
                self._probing = False
                self._open_until = self._now() + PROBED_ELSEWHERE_S

    @property
    def era(self) -> int:
        """Another number after each change. Never seen before those who listen have been told of the change."""
        with self._lock:
            return self._era

    @property
    def outage_s(self) -> float:
        """Seconds since the breaker opened, probes that failed included; 0 while it is closed."""
        return 0.0 if self._open_until is None else self._now() - self._ill_since

    def outage(self) -> Outage | None:
        until = self._open_until
        return None if until is None else Outage(left_s=max(0.0, until - self._now()), pause_s=self._pause_s)

    def adopt(self, outage: Outage | None, *, era: int) -> None:
        """Takes over what other processes found, or that one of them ended the outage.

        Not if the state has changed since it had this ``era``: what they found is older. Nor during our own probe.
        """
        with self._lock:
            if self._probing or era != self._era:
                return
            if outage is None and self._open_until is not None:
                self._close()
            elif outage is not None:
                self._open(pause_s=outage.pause_s, left_s=outage.left_s)

    def reading(self) -> BreakerReading:
        with self._lock:
            calls, failures = self._window.counts(self._now())
            left_s = 0.0 if self._open_until is None else max(0.0, self._open_until - self._now())
            return BreakerReading(
                state=self._state(left_s),
                left_s=left_s,
                calls=calls,
                failures=failures,
                last_failure=self._last_failure,
            )

    def _state(self, left_s: float) -> BreakerState:
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if left_s and not self._probing else BreakerState.PROBING

    def _end_probe(self, verdict: Verdict, retry_after_s: float | None) -> bool:
        self._probing = False
        if verdict is Verdict.WELL:
            self._close()
        elif verdict is Verdict.ILL:
            self._window.add(self._now(), failed=True)
            self._open(pause_s=self._longer(retry_after_s))
        return verdict is not Verdict.UNDECIDED

    def _count(self, verdict: Verdict, retry_after_s: float | None) -> bool:
        if verdict is Verdict.UNDECIDED:
            return False
        ill = verdict is Verdict.ILL
        self._in_row = self._in_row + 1 if ill else 0
        self._window.add(self._now(), failed=ill)
        if not ill or not self._is_failing():
            return False
        self._open(pause_s=self._longer(retry_after_s))
        return True

    def _is_failing(self) -> bool:
        if self._in_row >= self._rules.failures_in_row:
            return True
        calls, failures = self._window.counts(self._now())
        return calls >= self._rules.least_calls and failures >= self._rules.failing_share * calls

    def _longer(self, retry_after_s: float | None) -> float:
        """The next pause; as long as the provider asks, if that is longer, within the longest."""
        grown = max(self._rules.first_pause_s, self._pause_s * self._rules.growth)
        return min(self._rules.longest_pause_s, max(grown, retry_after_s or 0.0))

    def _open(self, *, pause_s: float, left_s: float | None = None) -> None:
        until = self._now() + (pause_s if left_s is None else left_s)
        if self._open_until is None or until > self._open_until:
            self._era += 1
            if self._open_until is None:
                self._ill_since = self._now()
            self._pass = None
            self._open_until, self._pause_s = until, pause_s

    def _close(self) -> None:
        self._era += 1
        self._pass = Ticket(era=self._era)
        self._open_until, self._pause_s, self._in_row = None, 0.0, 0
        self._window.clear()


@dataclass(slots=True, kw_only=True)
class _Slice:
    """A twelfth of the window."""

    number: int
    calls: int = 0
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class _Window:
    """Calls and failures of the last ``seconds``, forgotten a twelfth at a time, so that counting stays cheap."""

    seconds: float
    slices: deque[_Slice] = field(default_factory=deque)

    def add(self, now: float, *, failed: bool) -> None:
        number = self._number(now)
        if not self.slices or self.slices[-1].number != number:
            self._forget(number)
            self.slices.append(_Slice(number=number))
        self.slices[-1].calls += 1
        self.slices[-1].failures += failed

    def counts(self, now: float) -> tuple[int, int]:
        self._forget(self._number(now))
        return sum(each.calls for each in self.slices), sum(each.failures for each in self.slices)

    def clear(self) -> None:
        self.slices.clear()

    def _number(self, now: float) -> int:
        return int(now * 12 / self.seconds)

    def _forget(self, number: int) -> None:
        while self.slices and self.slices[0].number <= number - 12:
            self.slices.popleft()
