from __future__ import annotations

import math

import pytest

from panels.fusion.types import AnswerKind, Member
from panels.fusion.weights import estimated_skill, member_weight, skill_weight
from tests.unit.panels.fusion.fused import question


def test_estimated_skill_is_the_rule_of_succession() -> None:
    assert estimated_skill(correct=0, labelled=0) == 0.5
    assert estimated_skill(correct=3, labelled=4) == pytest.approx(4 / 6)


def test_estimated_skill_refuses_more_right_than_labelled() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        estimated_skill(correct=3, labelled=2)


def test_skill_weight_is_the_log_odds_times_the_wrong_choices() -> None:
    assert skill_weight(0.8, choices=2) == pytest.approx(math.log(4))
    assert skill_weight(0.8, choices=10) == pytest.approx(math.log(36))


def test_a_member_worse_than_chance_has_no_weight_and_never_a_negative_one() -> None:
    assert skill_weight(0.2, choices=4) == 0.0
    assert skill_weight(0.9, choices=1) == 0.0


def test_open_answers_count_as_twenty_choices() -> None:
    member = Member(model="m", skill=0.5)
    assert member_weight(member, question=question(AnswerKind.SHORT, choices=())) == pytest.approx(math.log(19))
    assert member_weight(member, question=question()) == pytest.approx(math.log(3))


def test_a_hand_set_weight_is_used_as_it_is() -> None:
    assert member_weight(Member(model="m", weight=2.5), question=question()) == 2.5
