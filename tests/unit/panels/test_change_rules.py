from __future__ import annotations

import pytest

from panels.change_rules import (
    Envelope,
    Side,
    Vote,
    envelope_json,
    envelope_of,
    hash_of,
    outcome_of,
    quorum_of,
    risk_tier,
    seats_left,
    takes_only_compliance,
)
from panels.fusion.types import StrategyName, Timing
from panels.models import ChangeRequest
from panels.policies import WrongState, require_other_hands
from panels.specs import MemberSpec, PanelSpec, StageSpec
from panels.triggers import MOVES

YES, NO, SEND_BACK = Vote(verdict="approved"), Vote(verdict="rejected"), Vote(verdict="changes_requested")
COMPLIANCE = Vote(verdict="approved", as_compliance=True)
WIDE = Envelope(weights=(0.1, 1.0), stop_at=(0.5, 0.9), deadline_s=(1.0, 5.0), max_cost_nanousd=(10, 20))


def spec(*weights, model=1, **fields):
    members = tuple(MemberSpec(model_id=model + place, weight=weight) for place, weight in enumerate(weights))
    return PanelSpec(strategy=StrategyName.WEIGHTED, stages=(StageSpec(members=members),), **fields)


def side(panel, **fields):
    return Side(spec=panel, **({"providers": frozenset({"a"}), "regions": frozenset({"eu"})} | fields))


OLD = spec(0.5, 0.5, stop_at=0.8, timing=Timing(deadline_s=2.0), max_cost_nanousd=15)


@pytest.mark.parametrize(
    ("new", "tier"),
    [
        (spec(0.1, 1.0, stop_at=0.9, timing=Timing(deadline_s=5.0), max_cost_nanousd=20), 1),
        (spec(0.09, 0.5, stop_at=0.8, timing=Timing(deadline_s=2.0), max_cost_nanousd=15), 2),
        (spec(0.5, 0.5, stop_at=0.91, timing=Timing(deadline_s=2.0), max_cost_nanousd=15), 2),
        (spec(0.5, 0.5, stop_at=0.8, timing=Timing(deadline_s=5.1), max_cost_nanousd=15), 2),
        (spec(0.5, 0.5, stop_at=0.8, timing=Timing(deadline_s=2.0), max_cost_nanousd=21), 2),
        (spec(0.5, 0.5, stop_at=0.8, timing=Timing(deadline_s=2.0)), 2),  # no ceiling is no move within a range
        (spec(0.5, 0.5, stop_at=0.8, timing=Timing(deadline_s=2.0, hedges=True), max_cost_nanousd=15), 2),
        (spec(0.5, stop_at=0.8, timing=Timing(deadline_s=2.0), max_cost_nanousd=15), 2),
        (spec(0.5, 0.5, model=2, stop_at=0.8, timing=Timing(deadline_s=2.0), max_cost_nanousd=15), 2),
    ],
)
def test_a_parameter_moves_within_its_range_bounds_included(new, tier):
    assert risk_tier(side(OLD, envelope=WIDE), side(new, envelope=WIDE)) == tier


def test_a_setting_that_comes_is_no_move_within_a_range():
    assert risk_tier(side(spec(0.5), envelope=WIDE), side(spec(0.5, stop_at=0.8))) == 2


def test_without_an_envelope_nothing_moves():
    assert risk_tier(side(OLD), side(spec(0.5, 0.5))) == 2


@pytest.mark.parametrize(
    "changes",
    [{"providers": frozenset({"a", "b"})}, {"regions": frozenset({"us"})}, {"policy": {"data_class": "health"}}],
)
def test_whoever_the_data_reaches_anew_makes_the_highest_risk(changes):
    assert risk_tier(side(OLD, envelope=WIDE), side(OLD, **changes)) == 3
    assert risk_tier(None, side(OLD)) == 3


def test_falling_back_asks_nobody_but_under_another_policy():
    baseline = side(OLD, providers=frozenset({"b"}))
    assert risk_tier(side(spec(1.0)), baseline, falls_back=True) == 0
    assert risk_tier(side(spec(1.0)), side(OLD, policy={"data_class": "health"}), falls_back=True) == 3


@pytest.mark.parametrize(
    ("wanted", "beyond"),
    [
        (WIDE, False),
        (Envelope(), False),
        (Envelope(weights=(0.1, 0.2)), False),
        (Envelope(weights=(0.0, 0.2)), True),
        (Envelope(stop_at=(0.5, 0.95)), True),
    ],
)
def test_an_envelope_that_grows_reaches_beyond(wanted, beyond):
    assert wanted.reaches_beyond(WIDE) is beyond
    assert Envelope(weights=(0.0, 1.0)).reaches_beyond(Envelope())


def test_an_envelope_comes_back_from_json():
    assert envelope_of(envelope_json(WIDE)) == WIDE
    assert envelope_json(Envelope()) == {}


@pytest.mark.parametrize(("tier", "quorum"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_the_quorum_grows_with_the_risk(tier, quorum):
    assert quorum_of(tier) == quorum


@pytest.mark.parametrize(
    ("tier", "votes", "left", "only_compliance"),
    [
        (1, [], 1, False),
        (1, [YES], 0, False),
        (2, [YES], 1, False),
        (2, [YES, YES], 0, False),
        (3, [], 2, False),
        (3, [YES], 1, True),
        (3, [COMPLIANCE], 1, False),
        (3, [YES, YES], 1, True),
        (3, [YES, COMPLIANCE], 0, False),
    ],
)
def test_seats_are_taken_one_by_one_and_one_is_kept_for_compliance(tier, votes, left, only_compliance):
    assert (seats_left(tier, votes), takes_only_compliance(tier, votes)) == (left, only_compliance)


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        ([YES], None),
        ([NO], None),
        ([YES, YES], "approved"),
        ([YES, SEND_BACK], "changes_requested"),
        ([SEND_BACK, NO], "rejected"),
    ],
)
def test_the_outcome_waits_for_all_and_follows_the_hardest_word(votes, outcome):
    assert outcome_of(2, votes) == outcome


def test_a_hash_is_of_what_a_database_gives_back():
    assert hash_of({"b": (1.0, -0.0), "a": {"c": 0.5}}) == hash_of({"a": {"c": 0.5}, "b": [1, 0]})
    assert hash_of({"a": 1}) != hash_of({"a": 2})


def test_every_state_that_a_request_may_come_to_is_known():
    states = {state for move in MOVES for state in move.split(">")}
    assert states == set(ChangeRequest.State.values)


def test_nobody_has_no_hands():
    with pytest.raises(WrongState):
        require_other_hands(None, set())
