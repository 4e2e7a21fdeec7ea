from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from panels.fusion.breaker import (
    PROBED_ELSEWHERE_S,
    Breaker,
    BreakerRules,
    BreakerState,
    Outage,
    Ticket,
    Verdict,
    judge,
)
from panels.fusion.types import Failure, FailureKind, Reply

RULES = BreakerRules(first_pause_s=2.0, longest_pause_s=10.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A breaker on a clock that stands, with what it told."""

    def __init__(self, rules: BreakerRules = RULES) -> None:
        self.clock = Clock()
        self.told: list[Outage | None] = []
        self.breaker = Breaker(now=self.clock, rules=rules, on_change=self.told.append)

    def call(self, verdict: Verdict, **said) -> bool:
        ticket = self.breaker.enter()
        if ticket is not None:
            self.breaker.leave(ticket, verdict, **said)
        return ticket is not None

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.call(Verdict.ILL, detail="HTTP 500")

    @property
    def state(self) -> BreakerState:
        return self.breaker.reading().state


@pytest.fixture
def watched() -> Watched:
    return Watched()


def entered(breaker: Breaker) -> Ticket:
    ticket = breaker.enter()
    assert ticket is not None
    return ticket


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (FailureKind.TIMEOUT, Verdict.ILL),
        (FailureKind.CONNECTION, Verdict.ILL),
        (FailureKind.SERVER, Verdict.ILL),
        (FailureKind.MALFORMED, Verdict.ILL),
        (FailureKind.STREAM_CUT, Verdict.ILL),
        (FailureKind.RATE_LIMITED, Verdict.UNDECIDED),
        (FailureKind.NOT_RECORDED, Verdict.UNDECIDED),
        (FailureKind.BREAKER_OPEN, Verdict.UNDECIDED),
        (FailureKind.CEILING, Verdict.UNDECIDED),
        (FailureKind.DEADLINE, Verdict.UNDECIDED),
        (FailureKind.REQUEST, Verdict.WELL),
        (FailureKind.REFUSED, Verdict.WELL),
        (FailureKind.EMPTY, Verdict.WELL),
        (FailureKind.AUTHENTICATION, Verdict.WELL),
        (FailureKind.PAYMENT, Verdict.WELL),
        (FailureKind.INVALID_MODEL, Verdict.WELL),
    ],
)
def test_only_what_says_something_about_the_provider_counts(kind, verdict):
    assert judge(Failure(kind=kind, detail="")) is verdict


def test_a_reply_is_well_and_429_is_ill_only_where_asking_slower_is_impossible():
    assert judge(Reply(text="A"), at_floor=True) is Verdict.WELL
    assert judge(Failure(kind=FailureKind.RATE_LIMITED, detail=""), at_floor=True) is Verdict.ILL


def test_five_failures_in_a_row_open_it_and_calls_come_back_at_once(watched):
    watched.fail(4)
    assert (watched.state, watched.breaker.left_s(), watched.breaker.outage()) == (BreakerState.CLOSED, 0.0, None)
    watched.fail(1)
    assert (watched.state, watched.breaker.left_s()) == (BreakerState.OPEN, 2.0)
    assert not watched.call(Verdict.WELL)
    assert watched.told == [Outage(left_s=2.0, pause_s=2.0)]
    assert watched.breaker.reading().last_failure == "HTTP 500"


def test_an_answer_in_between_ends_the_row(watched):
    watched.fail(4)
    watched.call(Verdict.WELL)
    watched.fail(4)
    assert watched.state is BreakerState.CLOSED


def test_what_is_undecided_changes_nothing(watched):
    watched.fail(4)
    watched.call(Verdict.UNDECIDED)
    assert watched.breaker.reading().calls == 4
    watched.fail(1)
    assert watched.state is BreakerState.OPEN


@pytest.mark.parametrize(("well", "opens"), [(4, False), (5, True), (6, False)])
def test_half_of_at_least_ten_within_the_window_opens_it(watched, well, opens):
    # Alternating, so that there is no row; four and four are fewer than ten, five of eleven are fewer than half.
    verdicts = [Verdict.WELL] * (well - 4) + [Verdict.WELL, Verdict.ILL] * 4
    for verdict in verdicts:
        watched.call(verdict)
    if well > 4:
        watched.call(Verdict.ILL)
    assert (watched.state is BreakerState.OPEN) is opens


def test_what_is_older_than_the_window_is_forgotten(watched):
    for _ in range(4):
        watched.call(Verdict.ILL)
        watched.call(Verdict.WELL)
    watched.clock.now += 66
    watched.call(Verdict.WELL)
    watched.call(Verdict.ILL)
    assert watched.state is BreakerState.CLOSED
    assert (watched.breaker.reading().calls, watched.breaker.reading().failures) == (2, 1)


def test_one_probe_closes_it_and_the_past_is_forgotten(watched):
    watched.fail(5)
    watched.clock.now += 2
    assert (watched.state, watched.breaker.left_s()) == (BreakerState.PROBING, 0.0)
    probe = entered(watched.breaker)
    assert probe.is_probe
    assert (watched.breaker.enter(), watched.state, watched.breaker.left_s()) == (None, BreakerState.PROBING, 2.0)
    watched.breaker.leave(probe, Verdict.WELL)
    assert (watched.state, watched.told[-1]) == (BreakerState.CLOSED, None)
    watched.fail(4)
    assert watched.state is BreakerState.CLOSED


def test_failed_probes_make_the_pause_longer_up_to_its_longest(watched):
    watched.fail(5)
    pauses = []
    for _ in range(4):
        outage = watched.breaker.outage()
        pauses.append(outage.pause_s)
        watched.clock.now += outage.left_s
        assert watched.call(Verdict.ILL)
    assert pauses == [2.0, 4.0, 8.0, 10.0]
    assert watched.breaker.outage_s == sum(pauses)
    watched.clock.now += 10
    watched.call(Verdict.WELL)
    assert watched.breaker.outage_s == 0.0
    watched.fail(5)
    assert watched.breaker.outage().pause_s == 2.0


@pytest.mark.parametrize(("asked", "pause"), [(1.0, 2.0), (7.0, 7.0), (900.0, 10.0)])
def test_a_provider_that_asks_for_a_longer_pause_gets_it_within_bounds(watched, asked, pause):
    watched.fail(4)
    watched.call(Verdict.ILL, retry_after_s=asked)
    assert watched.breaker.outage().pause_s == pause


def test_a_probe_that_says_nothing_lets_another_probe(watched):
    watched.fail(5)
    watched.clock.now += 2
    watched.breaker.return_unused(entered(watched.breaker))
    assert entered(watched.breaker).is_probe
    assert len(watched.told) == 1


def test_a_probe_that_another_process_makes_is_waited_for(watched):
    watched.fail(5)
    watched.clock.now += 2
    watched.breaker.yield_probe(entered(watched.breaker))
    assert watched.breaker.left_s() == PROBED_ELSEWHERE_S
    watched.clock.now += PROBED_ELSEWHERE_S
    probe = entered(watched.breaker)
    watched.breaker.leave(probe, Verdict.WELL)
    watched.breaker.yield_probe(probe)
    assert watched.state is BreakerState.CLOSED


def test_calls_from_before_it_opened_decide_nothing_any_more(watched):
    early = [entered(watched.breaker) for _ in range(3)]
    watched.fail(5)
    watched.breaker.leave(early[0], Verdict.WELL)
    watched.breaker.leave(early[1], Verdict.ILL)
    assert watched.breaker.outage() == Outage(left_s=2.0, pause_s=2.0)
    watched.clock.now += 2
    watched.call(Verdict.WELL)
    watched.breaker.leave(early[2], Verdict.ILL)
    assert watched.breaker.reading().failures == 0


def test_what_another_process_found_is_taken_over_and_not_told_again(watched):
    breaker = watched.breaker
    breaker.adopt(None, era=breaker.era)
    breaker.adopt(Outage(left_s=3.0, pause_s=4.0), era=breaker.era)
    assert (breaker.outage(), breaker.enter()) == (Outage(left_s=3.0, pause_s=4.0), None)
    breaker.adopt(Outage(left_s=1.0, pause_s=2.0), era=breaker.era)
    assert breaker.outage() == Outage(left_s=3.0, pause_s=4.0)
    breaker.adopt(None, era=breaker.era)
    assert (watched.state, watched.told) == (BreakerState.CLOSED, [])


def test_news_that_is_older_than_our_own_is_not_taken_over(watched):
    breaker = watched.breaker
    before = breaker.era
    watched.fail(5)
    breaker.adopt(None, era=before)
    assert watched.state is BreakerState.OPEN
    watched.clock.now += 2
    probe = entered(breaker)
    breaker.adopt(None, era=breaker.era)
    assert breaker.enter() is None
    breaker.leave(probe, Verdict.WELL)
    assert breaker.outage() is None


def test_a_breaker_that_nobody_listens_to_works_alone():
    breaker = Breaker(now=Clock())
    for _ in range(5):
        breaker.leave(entered(breaker), Verdict.ILL)
    assert breaker.left_s() == BreakerRules().first_pause_s


def test_of_many_threads_one_probes(watched):
    watched.fail(5)
    watched.clock.now += 2
    start, got = threading.Barrier(8), []

    def enter() -> None:
        start.wait()
        got.append(watched.breaker.enter())

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ticket is not None for ticket in got) == [False] * 7 + [True]


def test_a_call_that_meets_the_breaker_just_closed_is_let_through(watched):
    # As a thread sees it that read "open" a moment before another closed it.
    assert watched.breaker._enter_open() == entered(watched.breaker)


class Interleaved(RuleBasedStateMachine):
    """Calls come, end, are cancelled and given away in any order, while time passes and other processes tell things."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        self.under_way: list[Ticket] = []

    @property
    def probes(self) -> list[Ticket]:
        era = self.watched.breaker.era
        return [ticket for ticket in self.under_way if ticket.is_probe and ticket.era == era]

    @rule()
    def come(self) -> None:
        was_open = self.watched.breaker.outage()
        ticket = self.watched.breaker.enter()
        if was_open is not None:
            assert ticket is None or (ticket.is_probe and was_open.left_s == 0)
        if ticket is not None:
            self.under_way.append(ticket)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict), asked=st.none() | st.floats(0, 100))
    def end(self, data, verdict, asked) -> None:
        ticket = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        self.watched.breaker.leave(ticket, verdict, retry_after_s=asked)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def cancel(self, data) -> None:
        self.watched.breaker.return_unused(self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1))))

    @precondition(lambda self: self.probes)
    @rule()
    def give_away(self) -> None:
        probe = self.probes[0]
        self.under_way.remove(probe)
        self.watched.breaker.yield_probe(probe)

    @rule(outage=st.none() | st.builds(Outage, left_s=st.floats(0, 20), pause_s=st.floats(1, 20)))
    def hear(self, outage) -> None:
        self.watched.breaker.adopt(outage, era=self.watched.breaker.era)

    @rule(seconds=st.floats(0, 15))
    def pass_time(self, seconds) -> None:
        self.watched.clock.now += seconds

    @rule()
    def fail_in_row(self) -> None:
        self.watched.fail(5)

    @invariant()
    def at_most_one_probe(self) -> None:
        assert len(self.probes) <= 1

    @invariant()
    def no_pause_outlasts_the_longest(self) -> None:
        outage = self.watched.breaker.outage()
        assert outage is None or outage.left_s <= 20


TestInterleaved = Interleaved.TestCase


@given(verdicts=st.lists(st.sampled_from(Verdict), max_size=60), step=st.floats(0, 10))
def test_it_opens_exactly_when_the_rules_say(verdicts, step):
    """Against the rules written down naively, on the same slices of time."""
    watched = Watched()
    seen: list[tuple[int, bool]] = []
    row = 0
    for verdict in verdicts:
        watched.clock.now += step
        watched.call(verdict)
        now = int(watched.clock.now * 12 / 60)
        if verdict is not Verdict.UNDECIDED:
            seen.append((now, verdict is Verdict.ILL))
            row = row + 1 if verdict is Verdict.ILL else 0
        recent = [ill for at, ill in seen if at > now - 12]
        half = verdict is Verdict.ILL and len(recent) >= 10 and sum(recent) * 2 >= len(recent)
        assert (watched.breaker.outage() is not None) == (row >= 5 or half)
        if row >= 5 or half:
            return
