from dataclasses import replace

from panels.fusion.types import ArbiterWhen, Sampling, StrategyName, Timing
from panels.selectors.changes import changes_between
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec

NAMES = {1: "birch", 2: "alder", 3: "elm"}


def spec(*stages, **fields):
    members = [
        tuple(one if isinstance(one, MemberSpec) else MemberSpec(model_id=one) for one in seats) for seats in stages
    ]
    return PanelSpec(
        **{"strategy": StrategyName.MAJORITY, "stages": tuple(StageSpec(members=seats) for seats in members)} | fields
    )


def words(old, new):
    return changes_between(old, new, names=NAMES).words


def test_equal_versions_have_no_changes():
    assert words(spec([1, 2]), spec([1, 2])) == ()


def test_a_member_added_or_removed_is_named_and_shifts_nobody():
    assert words(spec([1, 2]), spec([1, 3, 2])) == ("elm added",)
    assert words(spec([1, 3, 2]), spec([1, 2])) == ("elm removed",)


def test_a_changed_weight_says_what_it_was_and_is():
    old, new = (spec([MemberSpec(model_id=1, weight=weight), 2]) for weight in (0.3, 0.5))
    assert words(old, new) == ("birch: weight 0.3 → 0.5",)


def test_a_skill_takes_the_place_of_the_weight():
    assert words(spec([1]), spec([MemberSpec(model_id=1, skill=0.74)])) == ("birch: weight 1 → from skill 0.74",)


def test_sampling_and_stage_are_settings_of_the_member():
    new = spec([1], [MemberSpec(model_id=2, sampling=Sampling(max_tokens=64, temperature=0.0))])
    (line,) = [line for line in words(spec([1, 2]), new) if line.startswith("alder")]
    assert line == "alder: stage 1 → 2, longest output 1,024 → 64, temperature not sent → 0"


def test_an_arbiter_that_comes_is_named_and_one_that_changes_says_how():
    judge = ArbiterSpec(model_id=3, prompt="synthesis-1")
    old, new = spec([1, 2]), spec([1, 2], strategy=StrategyName.SYNTHESIS, arbiter=judge)
    assert words(old, new) == ("strategy majority → synthesis", "arbiter none → elm")
    other = replace(judge, when=ArbiterWhen.ALWAYS, sampling=Sampling(max_tokens=100, seed=2), may_be_member=True)
    assert words(new, replace(new, arbiter=other)) == (
        "arbiter asked when disputed → always",
        "arbiter’s longest output 2,048 → 100",
        "arbiter’s seed not sent → 2",
        "arbiter may be a member no → yes",
    )


def test_what_live_answers_may_take_has_its_own_lines():
    timing = Timing(min_replies=2, grace_s=0.5, deadline_s=4.0, hedges=True)
    assert words(spec([1, 2]), spec([1, 2], timing=timing, max_cost_nanousd=20_000_000)) == (
        "least replies more than half → 2",
        "grace period none set → 0.5 s",
        "deadline none → 4 s",
        "slowest asked twice no → yes",
        "ceiling none → $0.02",
    )


def test_the_schedule_has_its_own_lines():
    old = spec([1], [2], stop_at=0.5)
    new = replace(
        old,
        strategy=StrategyName.WEIGHTED,
        stop_at=None,
        stages=(old.stages[0], replace(old.stages[1], settles=True)),
    )
    assert words(old, new) == (
        "strategy majority → weighted",
        "stops at consensus 0.5 → never",
        "last stage settles no → yes",
    )


def test_another_order_is_a_change_because_it_breaks_ties():
    assert words(spec([1, 2]), spec([2, 1])) == ("order birch, alder → alder, birch",)


def test_equal_seats_are_told_apart_by_their_place():
    old = spec([1, 1])
    new = spec([1, MemberSpec(model_id=1, weight=2.0)])
    changes = changes_between(old, new, names=NAMES)
    assert [member.mark for member in changes.members] == ["same", "chg"]


def test_members_who_left_come_last_with_what_they_were():
    changes = changes_between(spec([MemberSpec(model_id=3, weight=0.2), 1]), spec([1]), names=NAMES)
    assert [(member.name, member.mark) for member in changes.members] == [("birch", "same"), ("elm", "del")]
    assert changes.members[1].settings[1].now == "0.2"
