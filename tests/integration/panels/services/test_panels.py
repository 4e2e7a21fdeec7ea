import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from panels.fusion.types import Arbiter, ArbiterWhen, Sampling, StrategyName, Timing
from panels.models import Panel, PanelVersion
from panels.services.panels import InvalidPanel, UnchangedPanel, add_version, create_panel, validate_spec
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec, content_hash, engine_panel, spec_of
from tests.factories import NOW, make_model, make_panel_version


def spec(*members, **fields):
    stages = (StageSpec(members=tuple(members)),)
    return PanelSpec(**{"strategy": StrategyName.MAJORITY, "stages": stages} | fields)


@pytest.mark.django_db
def test_a_stored_version_reads_back_as_the_spec_it_was_made_from():
    wanted = spec(MemberSpec(model_id=make_model().pk, weight=0.3, skill=0.7), stop_at=0.5)
    version = create_panel(name="Sales", description="", spec=wanted, by=None, now=NOW)
    assert spec_of(version) == wanted
    assert version.content_hash == content_hash(wanted)


def arbitrated(arbiter, *members, **fields):
    return spec(*members, strategy=StrategyName.SYNTHESIS, arbiter=arbiter, **fields)


@pytest.mark.django_db
def test_an_arbiter_and_what_live_answers_may_take_read_back():
    members = [MemberSpec(model_id=make_model().pk, in_house=True), MemberSpec(model_id=make_model().pk)]
    judge = ArbiterSpec(
        model_id=make_model().pk,
        prompt="synthesis-1",
        when=ArbiterWhen.ALWAYS,
        sampling=Sampling(max_tokens=300, temperature=0.1, seed=4),
        may_be_member=True,
    )
    timing = Timing(min_replies=2, grace_s=0.5, deadline_s=4.0, hedges=True)
    wanted = arbitrated(judge, *members, timing=timing, max_cost_nanousd=20_000_000)
    version = create_panel(name="Sales", description="", spec=wanted, by=None, now=NOW)
    assert spec_of(version) == wanted
    assert engine_panel(version).arbiter == Arbiter(
        model=str(judge.model_id),
        prompt="synthesis-1",
        when=ArbiterWhen.ALWAYS,
        sampling=judge.sampling,
        may_be_member=True,
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"strategy": StrategyName.VERIFICATION}, "arbiter", "needs an arbiter"),
        ({"timing": Timing(min_replies=0)}, "min_replies", "between 1 and"),
        ({"timing": Timing(min_replies=2)}, "min_replies", "between 1 and"),
        ({"timing": Timing(grace_s=-1.0)}, "grace_s", "0 or more"),
        ({"timing": Timing(deadline_s=math.inf)}, "deadline_s", "above 0"),
        ({"max_cost_nanousd": 0}, "max_cost", "above 0"),
        ({"max_cost_nanousd": 10**15}, "max_cost", "at most 1,000 dollars"),
    ],
)
def test_what_a_live_answer_may_take_has_bounds(fields, field, reason):
    with pytest.raises(InvalidPanel, match=reason) as caught:
        validate_spec(spec(MemberSpec(model_id=make_model().pk), **fields))
    assert [name for name, _ in caught.value.problems] == [field]


@pytest.mark.django_db
def test_an_arbiter_is_known_available_apart_and_bounded():
    member, short = make_model(), make_model(max_output_tokens=100)
    seat = MemberSpec(model_id=member.pk)
    problems = {
        "no such model": ArbiterSpec(model_id=0, prompt="synthesis-1"),
        "is retired": ArbiterSpec(model_id=make_model(retired_at=NOW).pk, prompt="synthesis-1"),
        "also sits on the panel": ArbiterSpec(model_id=member.pk, prompt="synthesis-1"),
        "synthesis-0 is no prompt": ArbiterSpec(model_id=make_model().pk, prompt="synthesis-0"),
        "at most 100 tokens": ArbiterSpec(model_id=short.pk, prompt="synthesis-1"),
    }
    for reason, arbiter in problems.items():
        with pytest.raises(InvalidPanel, match=reason) as caught:
            validate_spec(arbitrated(arbiter, seat))
        assert len(caught.value.problems) == 1
    validate_spec(arbitrated(ArbiterSpec(model_id=member.pk, prompt="synthesis-1", may_be_member=True), seat))


@pytest.mark.django_db
@pytest.mark.parametrize("strategy", [StrategyName.MAJORITY, StrategyName.WEIGHTED])
def test_a_vote_asks_no_arbiter(strategy):
    judge = ArbiterSpec(model_id=make_model().pk, prompt="synthesis-1")
    with pytest.raises(InvalidPanel, match="ask no arbiter"):
        validate_spec(spec(MemberSpec(model_id=make_model().pk), strategy=strategy, arbiter=judge))


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "reason"), [("", "Give"), ("!!", "at least one letter"), ("New", "use this name")])
def test_a_panel_needs_a_name_that_can_be_an_address(name, reason):
    with pytest.raises(InvalidPanel, match=reason):
        create_panel(name=name, description="", spec=spec(MemberSpec(model_id=make_model().pk)), by=None, now=NOW)


@pytest.mark.django_db
def test_the_same_content_is_no_new_version():
    version = make_panel_version([[make_model()]])
    with pytest.raises(UnchangedPanel) as caught:
        add_version(panel=version.panel, spec=spec_of(version), by=None, now=NOW)
    assert caught.value.version == version


@pytest.mark.django_db
def test_a_retired_model_cannot_be_seated():
    with pytest.raises(InvalidPanel, match="retired"):
        add_version(
            panel=make_panel_version([[make_model()]]).panel,
            spec=spec(MemberSpec(model_id=make_model(retired_at=NOW).pk)),
            by=None,
            now=NOW,
        )


def at_once(*calls):
    """Runs the calls at the same time, each on a connection of its own; results or exceptions, in their order."""
    ready = Barrier(len(calls))

    def run(call):
        ready.wait(timeout=10)
        try:
            return call()
        except InvalidPanel as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_versions_made_at_the_same_time_take_numbers_one_after_the_other():
    panel, model = make_panel_version([[make_model()]]).panel, make_model()

    def add(weight):
        return lambda: add_version(
            panel=panel, spec=spec(MemberSpec(model_id=model.pk, weight=weight)), by=None, now=NOW
        )

    at_once(*(add(weight) for weight in (2.0, 3.0, 4.0)))
    assert sorted(panel.versions.values_list("number", flat=True)) == [1, 2, 3, 4]


@pytest.mark.django_db(transaction=True)
def test_panels_made_at_the_same_time_under_one_name_are_one_panel_and_one_clear_error():
    wanted = spec(MemberSpec(model_id=make_model().pk))

    def create():
        return create_panel(name="Sales", description="", spec=wanted, by=None, now=NOW)

    results = at_once(create, create)
    assert sum(isinstance(result, PanelVersion) for result in results) == 1
    assert sum("already has this name" in str(result) for result in results) == 1
    assert Panel.objects.count() == 1
