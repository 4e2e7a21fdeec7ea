from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.live import Live
from panels.fusion.outcomes import Degradation, MemberCall
from panels.fusion.schedule import hold_vote
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Failure,
    FailureKind,
    Member,
    Panel,
    Question,
    Reply,
    StrategyName,
    Timing,
)
from tests.unit.panels.fusion.fused import DEAD, ScriptedAsk, panel, question, reply
from tests.unit.panels.fusion.timed import TimedAsk, after, hold, script
from tests.unit.panels.fusion.virtual_time import now, run_virtually

SHUT = Failure(kind=FailureKind.BREAKER_OPEN, detail="open for another 20 s")


def timed(of: Panel, **timing: object) -> Panel:
    return replace(of, timing=Timing(**timing))  # type: ignore[arg-type]


def outcomes(calls: tuple[MemberCall, ...]) -> list[str]:
    return [call.result.kind.value if isinstance(call.result, Failure) else "ok" for call in calls]


# The end of a stage before its last reply


def test_a_stage_ends_when_no_ballot_still_out_could_change_the_winner() -> None:
    ask = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"))
    held = hold(timed(panel(("a", "b", "c")), min_replies=2), ask)
    assert held.seconds == 2
    assert outcomes(held.vote.calls) == ["ok", "ok", "cancelled"]
    assert ask.cancelled == [(2.0, "c")]
    assert held.vote.tally.consensus == pytest.approx(2 / 3)  # c was asked
    assert held.vote.degraded == ()
    assert held.late == []


def test_a_stop_rule_alone_lets_a_stage_end_early_once_more_than_half_are_in() -> None:
    ask = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"))
    assert hold(panel(("a", "b", "c"), stop_at=0.6), ask).seconds == 2


def test_without_stop_rule_and_minimum_every_reply_is_waited_for() -> None:
    ask = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"))
    assert hold(panel(("a", "b", "c")), ask).seconds == 9


@pytest.mark.parametrize(("least", "seconds"), [(1, 2), (2, 2), (3, 3), (4, 4), (7, 5)])
def test_the_minimum_number_has_to_be_in(least: int, seconds: int) -> None:
    five = timed(panel(("a", "b", "c", "d", "e"), stop_at=0.2), min_replies=least)
    four = script(**{name: after(second, "A") for second, name in enumerate("abcde", start=1)})
    # Two of five could still lose, unless a and b are the first of three to agree.
    assert hold(five, four).seconds == max(3, seconds)


def test_a_failure_is_no_reply_that_counts_to_the_minimum() -> None:
    ask = script(a=after(1, "A"), b=after(2, DEAD), c=after(3, DEAD))
    assert hold(timed(panel(("a", "b", "c")), min_replies=2), ask).seconds == 3


def test_a_stage_before_the_last_ends_early_only_if_the_schedule_ends_with_it() -> None:
    agreeing = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"), d=after(1, "A"))
    assert hold(panel(("a", "b", "c"), ("d",), stop_at=0.6), agreeing).seconds == 2
    agreeing = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"), d=after(1, "A"))
    held = hold(panel(("a", "b", "c"), ("d",), stop_at=0.7), agreeing)
    assert (held.seconds, held.vote.stages_called) == (10, 2)


def test_a_settling_stage_ends_when_its_own_plurality_is_sure() -> None:
    ask = script(a=after(1, "A"), b=after(1, "C"), c=after(1, "B"), d=after(2, "B"), e=after(9, "A"))
    held = hold(panel(("a", "b"), ("c", "d", "e"), stop_at=0.9, settles=True), ask)
    assert held.seconds == 3
    assert held.vote.settled
    assert held.vote.tally.winner is not None
    assert held.vote.tally.winner.value == "B"


def with_arbiter(of: Panel, when: ArbiterWhen, strategy: StrategyName = StrategyName.SYNTHESIS) -> Panel:
    return replace(of, strategy=strategy, arbiter=Arbiter(model="j", prompt="synthesis-1", when=when))


def test_a_stage_that_may_go_to_an_arbiter_ends_early_only_if_it_does_not() -> None:
    def seconds(when: ArbiterWhen, stop_at: float | None, strategy: StrategyName = StrategyName.SYNTHESIS) -> float:
        ask = script(a=after(1, "A"), b=after(2, "A"), c=after(9, "B"))
        three = timed(panel(("a", "b", "c"), stop_at=stop_at), min_replies=2)
        return hold(with_arbiter(three, when, strategy), ask).seconds

    assert seconds(ArbiterWhen.DISPUTED, 0.6) == 2
    assert seconds(ArbiterWhen.DISPUTED, 0.7) == 9  # disputed for sure: the arbiter is shown every answer
    assert seconds(ArbiterWhen.DISPUTED, None) == 9
    assert seconds(ArbiterWhen.ALWAYS, 0.6) == 9
    assert seconds(ArbiterWhen.ALWAYS, 0.6, StrategyName.MAJORITY) == 2  # which asks no arbiter


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([*"AAABC", "?"])), min_size=1, max_size=5), st.data())
def test_live_and_offline_agree_on_everything_that_counts(members: list[tuple[int, str]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(members)))
    names = [f"m{seat}" for seat in range(len(members))]
    stop_at = data.draw(st.sampled_from([0.3, 0.5, 0.6, 0.9, 1.0]))
    stages = [tuple(names[:cut]), tuple(names[cut:])][: 1 if cut == len(names) else 2]
    both = panel(*stages, stop_at=stop_at, settles=data.draw(st.booleans()))
    timed_ask = TimedAsk({name: [after(*member)] for name, member in zip(names, members, strict=True)})
    live = hold(both, timed_ask).vote
    told = ScriptedAsk({name: reply(text) for name, (_, text) in zip(names, members, strict=True)})
    offline = asyncio.run(hold_vote(question=question(), panel=both, ask=told))
    values = [vote.tally.winner.value if vote.tally.winner else None for vote in (live, offline)]
    assert values[0] == values[1]
    assert (live.stages_called, live.settled) == (offline.stages_called, offline.settled)


# Grace and deadline


def test_after_enough_replies_the_others_have_the_grace_period() -> None:
    ask = script(a=after(1, "A"), b=after(2, "B"), c=after(2.5, "C"), d=after(4, "A"))
    held = hold(timed(panel(("a", "b", "c", "d")), min_replies=2, grace_s=1), ask)
    assert held.seconds == 3
    assert outcomes(held.vote.calls) == ["ok", "ok", "ok", "late"]
    assert held.vote.degraded == (
        Degradation(kind="member_late", reason="no reply within 1 s after enough others were in", seat=3),
    )
    ((when, call),) = held.late
    assert (when, call.seat, call.ballot.value) == (4.0, 3, "A")


def test_the_deadline_brings_the_best_answer_at_hand() -> None:
    ask = script(a=after(1, "A"), b=after(5, "B"), c=after(6, DEAD))
    held = hold(timed(panel(("a", "b", "c"), ("d",), stop_at=0.9), deadline_s=4), ask)
    assert held.seconds == 4
    assert held.vote.tally.winner is not None
    assert held.vote.tally.winner.value == "A"
    assert held.vote.stages_called == 1
    assert outcomes(held.vote.calls) == ["ok", "deadline", "deadline"]
    assert [(cut.kind, cut.seat) for cut in held.vote.degraded] == [
        ("deadline", 1),
        ("deadline", 2),
        ("deadline", None),
    ]
    assert held.vote.degraded[-1].reason == "the deadline of 4 s had passed before stage 2 could be asked"
    assert [(when, outcomes((call,))) for when, call in held.late] == [(5.0, ["ok"]), (6.0, ["timeout"])]


def test_a_deadline_counts_from_the_request_over_all_stages() -> None:
    ask = script(a=after(1, "A"), b=after(2, "B"), c=after(9, "B"))
    held = hold(timed(panel(("a", "b"), ("c",), stop_at=0.9), deadline_s=5), ask)
    assert (held.seconds, held.vote.stages_called) == (5, 2)
    assert ask.asked == [(0.0, "a"), (0.0, "b"), (2.0, "c")]


def test_a_request_that_comes_too_late_asks_nobody() -> None:
    ask = script(a=after(1, "A"))

    async def main() -> None:
        await asyncio.sleep(3)
        live = Live(started=0.0, clock=now)
        vote = await hold_vote(question=question(), panel=timed(panel(("a",)), deadline_s=3), ask=ask, live=live)
        assert (vote.calls, vote.stages_called, vote.tally.winner) == ((), 0, None)
        assert [cut.kind for cut in vote.degraded] == ["deadline"]

    run_virtually(main)
    assert ask.asked == []


def test_a_late_reply_that_cannot_be_recorded_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ask = script(a=after(5, "A"))

    async def main() -> None:
        async def refuse(call: MemberCall) -> None:
            raise OSError("disk full")

        live = Live(started=0.0, clock=now, on_late=refuse)
        await hold_vote(question=question(), panel=timed(panel(("a",)), deadline_s=3), ask=ask, live=live)
        assert len(live.tasks) == 1
        await live.drain()
        assert not live.tasks

    with caplog.at_level(logging.ERROR):
        run_virtually(main)
    assert "could not be recorded" in caplog.text


def test_nobody_need_listen_for_late_replies() -> None:
    async def main() -> None:
        live = Live(started=0.0, clock=now)
        one = timed(panel(("a",)), deadline_s=3, hedges=True)
        await hold_vote(question=question(), panel=one, ask=script(a=after(5, "A")), live=live)
        await live.drain()

    run_virtually(main)


# A second request for the slowest


def hedged(*stages: tuple[str, ...]) -> Panel:
    return timed(panel(*stages), hedges=True)


def test_the_last_member_out_is_asked_again_after_its_own_p95() -> None:
    ask = script(a=after(1, "A"), b=[after(9, "B"), after(1, "C")])
    held = hold(hedged(("a", "b")), ask, p95_s={"a": 0.1, "b": 3})
    assert ask.asked == [(0.0, "a"), (0.0, "b"), (3.0, "b")]
    assert held.seconds == 4
    result = held.vote.calls[1].result
    assert isinstance(result, Reply)
    assert result.text == "C"
    (outrun,) = result.earlier
    assert (outrun.kind, outrun.latency_s) == (FailureKind.CANCELLED, 3)  # 3 s, then the 1 s of the second
    assert ask.cancelled == [(4.0, "b")]


def test_a_member_whose_p95_has_passed_is_asked_again_as_soon_as_it_is_the_last() -> None:
    ask = script(a=after(5, "A"), b=[after(9, "B"), after(1, "B")])
    hold(hedged(("a", "b")), ask, p95_s={"b": 3})
    assert ask.asked[-1] == (5.0, "b")


def test_a_member_without_a_known_p95_is_asked_once() -> None:
    ask = script(a=after(1, "A"), b=after(9, "B"))
    assert hold(hedged(("a", "b")), ask).seconds == 9


def test_the_first_request_may_win_after_all() -> None:
    ask = script(a=[after(4, "A"), after(9, "B")])
    held = hold(hedged(("a",)), ask, p95_s={"a": 3})
    result = held.vote.calls[0].result
    assert (held.seconds, outcomes(held.vote.calls)) == (4, ["ok"])
    assert [(each.kind, each.latency_s) for each in result.earlier] == [(FailureKind.CANCELLED, 0.0)]


def test_two_replies_at_once_are_one_answer_and_both_are_paid() -> None:
    ask = script(a=[after(4, "A"), after(1, "B")])
    result = hold(hedged(("a",)), ask, p95_s={"a": 3}).vote.calls[0].result
    assert isinstance(result, Reply)
    assert result.text == "A"
    assert result.earlier[0].usage.prompt_tokens == 10


@pytest.mark.parametrize(("first", "second"), [(4, 2), (6, 2)])
def test_a_request_that_fails_waits_for_the_other(first: int, second: int) -> None:
    ask = script(a=[after(first, DEAD), after(second, "B")])
    held = hold(hedged(("a",)), ask, p95_s={"a": 3})
    assert (held.seconds, outcomes(held.vote.calls)) == (5, ["ok"])
    ask = script(a=[after(first, "B"), after(1, DEAD)])
    held = hold(hedged(("a",)), ask, p95_s={"a": 3})
    assert (held.seconds, outcomes(held.vote.calls)) == (first, ["ok"])
    assert [each.kind for each in held.vote.calls[0].result.earlier][-1] in {
        FailureKind.TIMEOUT,
        FailureKind.CANCELLED,
    }


def test_two_failures_are_one_with_the_other_before_it() -> None:
    twice = replace(DEAD, earlier=(replace(DEAD, detail="the first try"),))
    ask = script(a=[after(4, twice), after(2, DEAD)])
    held = hold(hedged(("a",)), ask, p95_s={"a": 3})
    assert (held.seconds, outcomes(held.vote.calls)) == (5, ["timeout"])
    assert [each.detail for each in held.vote.calls[0].result.earlier] == ["the first try", DEAD.detail]
    assert held.vote.calls[0].result.earlier[1].earlier == ()


def test_a_second_request_may_go_another_way() -> None:
    ask, other = script(a=after(9, "A")), script(a=after(1, "B"))

    async def main() -> None:
        live = Live(started=0.0, clock=now, p95_of=lambda member: 3.0, ask_again=other)
        await hold_vote(question=question(), panel=hedged(("a",)), ask=ask, live=live)

    run_virtually(main)
    assert other.asked == [(3.0, "a")]


# What comes from outside


def test_a_client_that_goes_away_cancels_everybody() -> None:
    for seconds in (0.0, 0.5, 3.0, 3.5):
        ask = script(a=after(1, "A"), b=[after(9, "B"), after(9, "B")])

        async def main(seconds: float = seconds, ask: TimedAsk = ask) -> None:
            live = Live(started=0.0, clock=now, p95_of=lambda member: 3.0)
            vote = asyncio.create_task(hold_vote(question=question(), panel=hedged(("a", "b")), ask=ask, live=live))
            await asyncio.sleep(seconds)
            vote.cancel()
            with pytest.raises(asyncio.CancelledError):
                await vote

        run_virtually(main)
        assert len(ask.cancelled) == len(ask.asked) - (1 if seconds > 1 else 0)


def test_a_member_that_raises_takes_nobody_else_with_it_into_the_background() -> None:
    ask = script(b=after(9, "B"), c=[after(9, "B"), after(9, "B")])

    async def main() -> None:
        live = Live(started=0.0, clock=now)
        with pytest.raises(KeyError):
            await hold_vote(question=question(), panel=panel(("a", "b", "c")), ask=ask, live=live)

    run_virtually(main)
    assert [model for _, model in ask.cancelled] == ["b", "c"]


async def test_a_stage_that_no_breaker_lets_through_is_named_and_the_next_one_called() -> None:
    ask = ScriptedAsk({"a": SHUT, "b": SHUT, "c": reply("A"), "d": SHUT})
    vote = await hold_vote(question=question(), panel=panel(("a", "b"), ("c", "d"), stop_at=0.2), ask=ask)
    assert vote.stages_called == 2
    assert [(cut.kind, cut.seat) for cut in vote.degraded] == [
        ("member_failed", 0),
        ("member_failed", 1),
        ("member_failed", 3),
        ("stage_skipped", None),
    ]
    assert vote.degraded[-1].reason == "stage 1: the circuit breaker of every member is open"


def test_an_unreadable_reply_counts_to_the_minimum_and_abstains() -> None:
    ask = script(a=after(9, "B"), b=after(1, "A"), c=after(2, "no idea"))
    assert hold(timed(panel(("a", "b", "c")), min_replies=2, grace_s=1), ask).seconds == 3  # a would win the tie


def test_free_text_ends_early_too() -> None:
    ask = script(a=after(1, "the same words"), b=after(2, "the same words"), c=after(9, "other words"))
    held = hold(timed(panel(("a", "b", "c")), min_replies=2), ask, kind=AnswerKind.TEXT)
    assert held.seconds == 2


class Stubborn:
    """Answers although it was cancelled."""

    async def __call__(self, *, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        try:
            await asyncio.sleep(9 if member.model == "slow" else 1)
        except asyncio.CancelledError:
            return reply("B")
        return reply("A")


def test_what_a_seat_says_that_was_cancelled_is_not_heard() -> None:
    async def main() -> None:
        three = timed(panel(("a", "b", "slow")), min_replies=2)
        vote = await hold_vote(question=question(), panel=three, ask=Stubborn(), live=Live(started=0.0, clock=now))
        assert outcomes(vote.calls) == ["ok", "ok", "cancelled"]

    run_virtually(main)
