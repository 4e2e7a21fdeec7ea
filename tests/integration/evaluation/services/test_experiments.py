from __future__ import annotations

from typing import Any

import pytest

from evaluation.models import Experiment
from evaluation.services.experiments import ArmSpec, InvalidExperiment, create_experiment
from panels.fusion.types import StrategyName
from panels.models import LanguageModel, Provider
from tests.factories import NOW, make_dataset_version, make_model, make_outputs, make_panel_version, make_provider

pytestmark = pytest.mark.django_db


def arm(name: str = "one", *, model: LanguageModel | None = None, is_baseline: bool = True) -> ArmSpec:
    return ArmSpec(name=name, panel_version=make_panel_version([[model or make_model()]]), is_baseline=is_baseline)


def create(**fields: Any) -> Experiment:
    defaults: dict[str, Any] = {"title": "Comparison", "workflow": None, "replies": "live", "by": None, "now": NOW}
    version = fields.pop("dataset_version", None) or make_dataset_version(examples=2)
    return create_experiment(dataset_version=version, **(defaults | fields))


def problems_of(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidExperiment) as caught:
        create(**fields)
    assert not Experiment.objects.exists()
    return list(caught.value.problems)


def test_arms_keep_their_order_and_the_baseline():
    experiment = create(arms=[arm("panel", is_baseline=False), arm(" today ")])
    arms = experiment.arms.order_by("position").values_list("position", "name", "is_baseline")
    assert list(arms) == [(0, "panel", False), (1, "today", True)]


@pytest.mark.parametrize("baselines", [[], [False], [False, False], [True, True]])
def test_exactly_one_arm_is_the_baseline(baselines):
    arms = [arm(f"arm {place}", is_baseline=is_baseline) for place, is_baseline in enumerate(baselines)]
    assert [field for field, _ in problems_of(arms=arms)] == ["arms"]


def test_two_arms_of_one_name_are_both_named():
    problems = problems_of(arms=[arm("same"), arm("same ", is_baseline=False), arm("", is_baseline=False)])
    assert [field for field, _ in problems] == ["arms.0.name", "arms.1.name", "arms.2.name"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "title"),
        ({"replies": "guessed"}, "replies"),
        ({"published_at": None, "content_hash": ""}, "dataset_version"),
    ],
)
def test_what_else_is_needed_is_said_by_field(fields, field):
    unpublished = {name: fields.pop(name) for name in ("published_at", "content_hash") if name in fields}
    version = make_dataset_version(examples=1, **unpublished)
    assert problems_of(arms=[arm()], dataset_version=version, **fields)[0][0] == field


def test_a_retired_model_cannot_be_asked():
    retired = arm(model=make_model(name="old"))
    LanguageModel.objects.filter(name="old").update(status="retired", retired_at=NOW)
    [(field, message)] = problems_of(arms=[retired])
    assert field == "arms.0"
    assert message.startswith("old is retired")


def test_a_model_that_is_only_recorded_cannot_be_asked():
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), name="heard")
    [(field, message)] = problems_of(arms=[arm(model=recorded)])
    assert (field, message.split(" exists")[0]) == ("arms.0", "heard")


def test_a_replay_needs_outputs_of_every_member_in_this_version():
    version, other = make_dataset_version(examples=2), make_dataset_version(examples=2)
    here, elsewhere = make_model(name="here"), make_model(name="elsewhere")
    make_outputs(version, {here: ["A", None]})
    make_outputs(other, {elsewhere: ["A", "B"]})
    assert create(arms=[arm(model=here)], dataset_version=version, replies="recorded").pk
    Experiment.objects.all().delete()
    arms = [arm("today", model=here), arm("panel", model=elsewhere, is_baseline=False)]
    [(field, message)] = problems_of(arms=arms, dataset_version=version, replies="recorded")
    assert (field, message) == ("arms.1", "This dataset version holds no recorded outputs of elsewhere.")


def test_a_retired_models_outputs_can_still_be_replayed():
    version, model = make_dataset_version(examples=1), make_model()
    make_outputs(version, {model: ["A"]})
    replayed = arm(model=model)
    LanguageModel.objects.update(status="retired", retired_at=NOW)
    assert create(arms=[replayed], dataset_version=version, replies="recorded").pk


def arbitrated(arbiter: LanguageModel, member: LanguageModel, **fields: Any) -> ArmSpec:
    asks: dict[str, Any] = {"strategy": StrategyName.SYNTHESIS} | fields
    return ArmSpec(name="one", panel_version=make_panel_version([[member]], arbiter=arbiter, **asks), is_baseline=True)


def test_somebody_has_to_answer_for_an_arbiter_even_in_a_replay():
    version = make_dataset_version(examples=2, answer_kind="text")
    recorded = make_provider(kind=Provider.Kind.RECORDED)
    member, arbiter = make_model(provider=recorded), make_model(provider=recorded)
    make_outputs(version, {member: ["A", "A"]})
    arms = [arbitrated(arbiter, member)]
    [(field, message)] = problems_of(arms=arms, dataset_version=version, replies="recorded")
    assert field == "arms.0"
    assert f"{arbiter.name} exists only as recorded outputs and cannot arbitrate" in message
    votes = arbitrated(arbiter, member, strategy=StrategyName.AUTO, prompt="auto-1")
    closed = make_dataset_version(examples=1)
    make_outputs(closed, {member: ["A"]})
    assert create(arms=[votes], dataset_version=closed, replies="recorded").arms.count() == 1


def test_an_arbiter_that_is_retired_cannot_arbitrate():
    arbiter = make_model()
    arm = arbitrated(arbiter, make_model())
    LanguageModel.objects.filter(pk=arbiter.pk).update(status="retired", retired_at=NOW)
    arm.panel_version.refresh_from_db()
    [(field, message)] = problems_of(arms=[arm])
    assert (field, message.partition(". ")[0]) == ("arms.0", f"{arbiter.name} is retired and cannot arbitrate")
