from __future__ import annotations

from dataclasses import replace

import pytest

from panels.fusion.types import AnswerKind, ArbiterWhen, Member, Panel, Sampling, Stage, StrategyName, Timing
from panels.services.panels import InvalidPanel, create_panel, validate_spec
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec, content_hash, engine_panel, possible_arbiter
from tests.factories import NOW, make_model, make_panel_version

SPEC = PanelSpec(
    strategy=StrategyName.MAJORITY,
    stages=(StageSpec(members=(MemberSpec(model_id=1), MemberSpec(model_id=2, weight=2.0))),),
    stop_at=1.0,
)


def one_member(**fields):
    member = replace(SPEC.stages[0].members[0], **fields)
    return replace(SPEC, stages=(StageSpec(members=(member, SPEC.stages[0].members[1])),))


def test_equal_content_has_one_hash_however_its_numbers_are_written():
    same = replace(SPEC, stop_at=1, stages=(StageSpec(members=(MemberSpec(model_id=1, weight=1), SPEC.members[1])),))
    assert content_hash(same) == content_hash(SPEC)


def test_a_hash_of_a_panel_without_arbiter_stays_what_it_was():
    assert content_hash(SPEC) == "c779ebbe82d7c213f55dea6c2028a469fc2761fded56bd61e411cc80e119fa0a"


ARBITER = ArbiterSpec(model_id=9, prompt="synthesis-1")


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, arbiter=ARBITER),
        replace(SPEC, timing=Timing(min_replies=1)),
        replace(SPEC, timing=Timing(grace_s=1)),
        replace(SPEC, timing=Timing(deadline_s=1)),
        replace(SPEC, timing=Timing(hedges=True)),
        replace(SPEC, max_cost_nanousd=1),
        one_member(in_house=True),
        replace(SPEC, strategy=StrategyName.WEIGHTED),
        replace(SPEC, stop_at=None),
        replace(SPEC, stages=(StageSpec(members=SPEC.members[::-1]),)),
        replace(SPEC, stages=(StageSpec(members=SPEC.members, settles=True),)),
        replace(SPEC, stages=tuple(StageSpec(members=(member,)) for member in SPEC.members)),
        one_member(model_id=3),
        one_member(weight=0.5),
        one_member(skill=0.5),
        one_member(sampling=Sampling(max_tokens=7)),
        one_member(sampling=Sampling(temperature=0.0)),
        one_member(sampling=Sampling(top_p=1.0)),
        one_member(sampling=Sampling(seed=1)),
    ],
)
def test_whatever_changes_the_answers_changes_the_hash(other):
    assert content_hash(other) != content_hash(SPEC)


def test_whatever_changes_the_arbiter_changes_the_hash():
    others = [
        replace(ARBITER, model_id=8),
        replace(ARBITER, prompt="synthesis-2"),
        replace(ARBITER, when=ArbiterWhen.ALWAYS),
        replace(ARBITER, sampling=Sampling(max_tokens=7)),
        replace(ARBITER, sampling=Sampling(max_tokens=2048, temperature=0.0)),
        replace(ARBITER, sampling=Sampling(max_tokens=2048, seed=1)),
        replace(ARBITER, may_be_member=True),
    ]
    hashes = {content_hash(replace(SPEC, arbiter=arbiter)) for arbiter in (None, ARBITER, *others)}
    assert len(hashes) == len(others) + 2


@pytest.mark.django_db
def test_the_engine_gets_members_by_inventory_key_stage_by_stage():
    first, second, strong = make_model(), make_model(), make_model()
    version = make_panel_version([[second, first], [strong]], stop_at=0.6, settles=True)
    panel = engine_panel(version)
    keys = [[member.model for member in stage.members] for stage in panel.stages]
    assert keys == [[str(second.pk), str(first.pk)], [str(strong.pk)]]
    assert ([stage.settles for stage in panel.stages], panel.stop_at) == ([False, True], 0.6)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"weight": -1.0}, "stages.0.members.0.weight"),
        ({"weight": float("inf")}, "stages.0.members.0.weight"),
        ({"skill": 1.0}, "stages.0.members.0.skill"),
        ({"sampling": Sampling(max_tokens=0)}, "stages.0.members.0.max_tokens"),
        ({"sampling": Sampling(max_tokens=101)}, "stages.0.members.0.max_tokens"),
        ({"sampling": Sampling(max_tokens=9, temperature=2.1)}, "stages.0.members.0.temperature"),
        ({"sampling": Sampling(max_tokens=9, top_p=0.0)}, "stages.0.members.0.top_p"),
        ({"model_id": 0}, "stages.0.members.0.model"),
    ],
)
def test_a_wrong_setting_of_a_member_is_named(fields, field):
    model = make_model(max_output_tokens=100)
    good = MemberSpec(model_id=model.pk, sampling=Sampling(max_tokens=9))
    spec = PanelSpec(strategy=StrategyName.MAJORITY, stages=(StageSpec(members=(good,)),))
    validate_spec(spec)
    with pytest.raises(InvalidPanel) as caught:
        validate_spec(replace(spec, stages=(StageSpec(members=(replace(good, **fields),)),)))
    assert [name for name, _ in caught.value.problems] == [field]


@pytest.mark.django_db
def test_every_fault_of_a_schedule_is_listed_at_once():
    member = MemberSpec(model_id=make_model().pk)
    stages = (StageSpec(members=(member,), settles=True), StageSpec(members=()))
    with pytest.raises(InvalidPanel) as caught:
        create_panel(
            name="Panel",
            description="",
            spec=PanelSpec(strategy=StrategyName.MAJORITY, stages=stages, stop_at=0.0),
            by=None,
            now=NOW,
        )
    assert {name for name, _ in caught.value.problems} == {"stop_at", "stages.0.settles", "stages.1"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("strategy", "kind", "asks"),
    [
        (StrategyName.VERIFICATION, AnswerKind.CHOICE, True),
        (StrategyName.SYNTHESIS, AnswerKind.TEXT, True),
        (StrategyName.AUTO, AnswerKind.TEXT, True),
        (StrategyName.AUTO, AnswerKind.SHORT, True),
        (StrategyName.AUTO, AnswerKind.CHOICE, False),
        (StrategyName.AUTO, AnswerKind.JSON, False),
    ],
)
def test_an_arbiter_is_possible_where_the_strategy_may_ask_one(strategy, kind, asks):
    judge = make_model()
    panel = engine_panel(make_panel_version([[make_model()]], strategy=strategy, arbiter=judge, prompt="auto-1"))
    assert possible_arbiter(panel, kind) == (panel.arbiter if asks else None)
    assert panel.arbiter is not None
    seated = replace(panel, stages=(Stage(members=(Member(model=panel.arbiter.model),)),))
    assert possible_arbiter(seated, kind) is None
    allowed = replace(seated, arbiter=replace(panel.arbiter, may_be_member=True))
    assert (possible_arbiter(allowed, kind) is None) != asks


def test_a_vote_has_no_arbiter():
    panel = Panel(strategy=StrategyName.MAJORITY, stages=())
    assert possible_arbiter(panel, AnswerKind.TEXT) is None
