from __future__ import annotations

import pytest

from panels.fusion.fuse import fuse, fuse_alone, voted
from panels.fusion.outcomes import Degradation, Final, Fused, Tally
from panels.fusion.types import AnswerKind, Member, Panel, Stage, StrategyName
from tests.unit.panels.fusion.fused import DEAD, ScriptedAsk, panel, question, reply


async def _fuse(panel: Panel, ask: ScriptedAsk, kind: AnswerKind = AnswerKind.CHOICE) -> Fused:
    return await fuse(question=question(kind), panel=panel, ask=ask)


async def test_a_panel_of_one_is_its_member() -> None:
    fused = await _fuse(panel(("a",)), ScriptedAsk({"a": reply("The answer is (C).")}))
    assert (fused.winner.value if fused.winner else None, fused.consensus, fused.stages_called) == ("C", 1.0, 1)
    assert not fused.escalated


async def test_a_dead_member_does_not_fail_the_panel_and_stays_in_the_denominator() -> None:
    ask = ScriptedAsk({"a": DEAD, "b": reply("B"), "c": reply("B")})
    fused = await _fuse(panel(("a", "b", "c")), ask)
    assert fused.winner is not None
    assert fused.winner.value == "B"
    assert fused.consensus == pytest.approx(2 / 3)
    assert fused.degraded == (Degradation(kind="member_failed", reason="timeout", seat=0),)


async def test_nobody_answers() -> None:
    fused = await _fuse(panel(("a", "b")), ScriptedAsk({"a": DEAD, "b": reply("no idea")}))
    assert fused.winner is None
    assert fused.consensus == 0.0


async def test_agreement_ends_the_schedule_before_the_second_stage() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("A"), "c": reply("D")})
    fused = await _fuse(panel(("a", "b"), ("c",), stop_at=1.0), ask)
    assert [model for model, _, _ in ask.asked] == ["a", "b"]
    assert fused.stages_called == 1


async def test_disagreement_calls_the_next_stage_with_seats_counted_on() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("B"), "c": reply("B")})
    fused = await _fuse(panel(("a", "b"), ("c",), stop_at=1.0), ask)
    assert ask.asked == [("a", 0, 0), ("b", 1, 0), ("c", 2, 1)]
    assert fused.winner is not None
    assert fused.winner.value == "B"
    assert fused.escalated


async def test_without_stop_at_every_stage_is_called() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("A")})
    assert (await _fuse(panel(("a",), ("b",)), ask)).stages_called == 2


async def test_stop_at_two_thirds_is_reached_by_two_of_three() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("A"), "c": reply("B"), "d": reply("B")})
    assert (await _fuse(panel(("a", "b", "c"), ("d",), stop_at=2 / 3), ask)).stages_called == 1


async def test_a_tie_over_stages_goes_to_the_latest_stage() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("B")})
    fused = await _fuse(panel(("a",), ("b",)), ask)
    assert fused.winner is not None
    assert fused.winner.value == "B"


async def test_a_settling_stage_overrules_the_majority_before_it() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("A"), "c": reply("B"), "d": reply("C")})
    fused = await _fuse(panel(("a", "b", "c"), ("d",), stop_at=1.0, settles=True), ask)
    assert fused.winner is not None
    assert (fused.winner.value, fused.settled) == ("C", True)
    assert fused.consensus == 0.5  # what stands behind the leading group, A, of four asked


async def test_a_settling_stage_that_abstains_leaves_the_vote_to_all() -> None:
    ask = ScriptedAsk({"a": reply("A"), "b": reply("B"), "c": reply("A"), "d": DEAD})
    fused = await _fuse(panel(("a", "b", "c"), ("d",), stop_at=1.0, settles=True), ask)
    assert fused.winner is not None
    assert (fused.winner.value, fused.settled) == ("A", False)


async def test_a_recorded_ballot_is_taken_instead_of_the_text() -> None:
    ask = ScriptedAsk({"a": reply("The answer is (A).", predicted="B", has_predicted=True)})
    fused = await _fuse(panel(("a",)), ask)
    assert fused.winner is not None
    assert fused.winner.value == "B"


async def test_a_recorded_null_ballot_is_an_abstention_whatever_the_text_says() -> None:
    ask = ScriptedAsk({"a": reply("The answer is (A).", predicted=None, has_predicted=True)})
    assert (await _fuse(panel(("a",)), ask)).winner is None


async def test_skill_sets_the_weight_from_the_number_of_choices() -> None:
    members = (Member(model="a", skill=0.9), Member(model="b", skill=0.4), Member(model="c", skill=0.4))
    weighted = Panel(strategy=StrategyName.WEIGHTED, stages=(Stage(members=members),))
    ask = ScriptedAsk({"a": reply("A"), "b": reply("B"), "c": reply("B")})
    fused = await _fuse(weighted, ask)
    assert fused.winner is not None
    assert fused.winner.value == "A"  # ln 27 = 3.30 against 2 ln 2 = 1.39
    assert fused.calls[0].ballot.weight == pytest.approx(3.2958369)


async def test_an_answer_fused_alone_is_that_of_a_panel_of_one() -> None:
    for result in (reply("The answer is (C)."), reply("no idea"), DEAD):
        alone = fuse_alone(question=question(), member=Member(model="a"), result=result)
        assert alone == await _fuse(panel(("a",)), ScriptedAsk({"a": result}))


def test_what_the_fields_of_several_members_make_together_is_nobodys_words() -> None:
    assert voted(Tally(groups=(), winner=None, consensus=0.5, merged='{"a":1}')) == Final(
        value='{"a":1}', text='{"a":1}'
    )
