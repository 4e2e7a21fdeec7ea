from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Sum

from evaluation.execution.loading import load_batch
from evaluation.execution.plan import load_plan
from evaluation.models import Answer, ArmProgress, Call, Example, Run
from evaluation.selectors.byte_length import ByteLength
from evaluation.selectors.estimates import RunEstimate, estimate_run
from panels.fusion.types import ArbiterWhen, StrategyName
from panels.models import LanguageModel, PanelVersion
from tests.factories import NOW, make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db


def estimate(version, *panels: PanelVersion, replies: str = "live", reuse: bool = True, concurrency: int = 2, **more):
    return estimate_run(version=version, panels=panels, replies=replies, concurrency=concurrency, reuse=reuse, **more)


def test_members_that_arms_share_are_asked_once():
    one, two, three = make_model(), make_model(), make_model()
    version = make_dataset_version(examples=10)
    found = estimate(version, make_panel_version([[one]]), make_panel_version([[one, two, three]]))
    assert (found.calls, found.calls_least, found.shared, found.reused, found.asked) == (40, 40, 10, 0, 30)


def test_equal_seats_of_one_panel_are_separate_replies():
    model = make_model()
    found = estimate(make_dataset_version(examples=10), make_panel_version([[model, model, model]]))
    assert (found.shared, found.asked) == (0, 30)


def test_a_stop_rule_makes_the_later_stages_uncertain():
    panel = make_panel_version([[make_model(), make_model()], [make_model()]], stop_at=1.0)
    version = make_dataset_version(examples=10)
    found = estimate(version, panel)
    assert (found.calls_least, found.calls, found.asked) == (20, 30, 30)
    run = make_run(make_experiment([panel]))
    ArmProgress.objects.filter(run=run).update(done=100, calls=240)
    later = estimate(version, panel)
    assert (later.calls_least, later.calls, later.asked) == (20, 30, 24)


def test_without_a_stop_rule_every_stage_is_certain():
    found = estimate(make_dataset_version(examples=10), make_panel_version([[make_model()], [make_model()]]))
    assert (found.calls_least, found.calls) == (20, 20)


def test_the_worst_case_holds_for_every_byte_and_token():
    model = make_model(price=(3_000_000_000, 15_000_000_000))
    version = make_dataset_version(examples=2)
    total = version.examples.aggregate(total=Sum(ByteLength("prompt")))["total"]
    found = estimate(version, make_panel_version([[model]], max_tokens=100))
    assert total == sum(len(prompt.encode()) for prompt in version.examples.values_list("prompt", flat=True))
    assert found.worst_nanousd == (total + 2 * 200) * 3_000 + 2 * 100 * 15_000
    assert found.expected_nanousd < found.worst_nanousd


def test_bytes_are_counted_not_characters():
    version = make_dataset_version(examples=1)
    version.examples.update(prompt="€uro")
    assert version.examples.aggregate(total=Sum(ByteLength("prompt")))["total"] == 6


def test_recent_replies_say_how_long_the_next_ones_will_be():
    made = make_finished_run("RRRR", "RRRR")
    Call.objects.update(completion_tokens=3, latency_s=0.5)
    panel = make_panel_version([[made.models[0]]], max_tokens=400)
    known = estimate(make_dataset_version(examples=8), panel)
    assert known.seconds == pytest.approx(8 * 0.5 / 2)
    new = estimate(make_dataset_version(examples=8), make_panel_version([[make_model()]], max_tokens=400))
    assert new.seconds is None
    assert known.expected_nanousd < new.expected_nanousd


def test_replies_of_an_earlier_run_of_the_same_panel_are_reused():
    made = make_finished_run("RRRF", "RRRR")
    version, panels = made.run.experiment.dataset_version, (made.baseline.panel_version, made.panel.panel_version)
    found = estimate(version, *panels)
    assert (found.reused, found.asked) == (12, 0)
    assert found.expected_nanousd == 0
    assert found.worst_nanousd > 0
    assert estimate(version, *panels, reuse=False).asked == 12


def test_a_run_that_masks_reuses_no_reply_of_one_that_does_not_nor_the_other_way_round():
    made = make_finished_run("RRRF", "RRRR")
    version, panel = made.run.experiment.dataset_version, made.panel.panel_version
    assert [estimate(version, panel, masks=masks).reused for masks in (False, True)] == [12, 0]
    made.run.answers.update(masking={"version": 1, "fields": [], "places": {}})
    assert [estimate(version, panel, masks=masks).reused for masks in (False, True)] == [0, 12]


def test_an_unknown_price_is_named_and_never_counts_as_nothing():
    panel = make_panel_version([[make_model(price=None, name="mystery"), make_model()]])
    found = estimate(make_dataset_version(), panel)
    assert (found.expected_nanousd, found.worst_nanousd, found.unpriced) == (None, None, ("mystery",))


def test_a_replay_asks_nobody():
    found = estimate(
        make_dataset_version(examples=10), make_panel_version([[make_model(price=None)]]), replies="recorded"
    )
    assert (found.asked, found.expected_nanousd, found.worst_nanousd, found.unpriced) == (0, 0, 0, ())


def test_it_says_what_so_many_pairs_can_show():
    found = estimate(make_dataset_version(examples=1, example_count=1000), make_panel_version([[make_model()]]))
    assert (round(found.detectable_10, 3), round(found.detectable_20, 3)) == (0.028, 0.04)


def test_an_empty_dataset_is_no_division_by_zero():
    found = estimate(make_dataset_version(examples=0), make_panel_version([[make_model()]]))
    assert isinstance(found, RunEstimate)
    assert found.asked == 0


def test_replays_do_not_hide_what_a_live_model_is_like():
    made = make_finished_run("RRRR", "RRRR")
    Call.objects.update(completion_tokens=3, latency_s=0.5)
    for call in Call.objects.filter(answer__arm=made.baseline):
        call.pk, call.seat, call.latency_s = None, 9, None
        call.reused_from = Call.objects.filter(model=call.model).first()
        call.save()
    found = estimate(make_dataset_version(examples=8), make_panel_version([[made.models[0]]]))
    assert found.seconds == pytest.approx(8 * 0.5 / 2)


def test_the_number_of_queries_does_not_grow_with_the_panels(django_assert_max_num_queries):
    version, models = make_dataset_version(examples=30), [make_model(), make_model()]
    panels = [make_panel_version([models]) for _ in range(6)]
    with django_assert_max_num_queries(5 + len(models)):
        estimate(version, *panels)


def make_answer(run: Run) -> Answer:
    return Answer.objects.create(
        run=run,
        arm=run.experiment.arms.get(),
        example=run.experiment.dataset_version.examples.first(),
        outcome=Answer.Outcome.ABSTAINED,
        consensus=0.0,
        stages_called=1,
        call_count=1,
        created_at=NOW,
    )


def arbitrated(*members: LanguageModel, judge: LanguageModel, **fields: Any) -> PanelVersion:
    asks: dict[str, Any] = {"strategy": StrategyName.SYNTHESIS} | fields
    return make_panel_version([list(members or [make_model()])], arbiter=judge, **asks)


def test_an_arbiter_may_be_asked_never_or_twice_an_example():
    version, judge = make_dataset_version(examples=10), make_model()
    disputed = estimate(version, arbitrated(judge=judge)).arbiter
    assert (disputed.least, disputed.most, disputed.asked) == (0, 20, 10)
    always = estimate(version, arbitrated(judge=judge, when=ArbiterWhen.ALWAYS)).arbiter
    assert (always.least, always.most) == (10, 20)
    assert estimate(version, make_panel_version([[judge]])).arbiter is None
    assert estimate(version, arbitrated(judge=judge, strategy=StrategyName.AUTO, prompt="auto-1")).arbiter is None


def test_earlier_runs_say_how_often_the_arbiter_is_asked_and_what_need_not_be_asked_again():
    panel = arbitrated(judge=make_model())
    run = make_run(make_experiment([panel], version=make_dataset_version(examples=10)))
    ArmProgress.objects.filter(run=run).update(done=10, calls=10, arbitrated=4, arbiter_calls=5)
    make_answer(run)
    elsewhere = estimate(make_dataset_version(examples=100), panel).arbiter
    assert (elsewhere.asked, elsewhere.reused) == (40, 0)
    again = estimate(run.experiment.dataset_version, panel)
    assert (again.arbiter.asked, again.arbiter.reused) == (0, 4)
    masked = estimate(run.experiment.dataset_version, panel, masks=True)
    assert (masked.arbiter.asked, masked.arbiter.reused) == (4, 0)
    assert estimate(run.experiment.dataset_version, panel, reuse=False).arbiter.asked == 4


def test_the_worst_case_of_an_arbiter_covers_what_a_run_sets_aside_for_it():
    version = make_dataset_version(examples=3)
    Example.objects.filter(version=version).update(context='He said "no".\n' * 20)
    member = make_model(price=(0, 0))
    panel = arbitrated(member, judge=make_model())
    run = make_run(make_experiment([panel], version=version))
    reserved = load_batch(load_plan(run.pk, now=NOW), run.batches.get()).worst_nanousd
    found = estimate(version, panel)
    assert reserved <= found.worst_nanousd <= 2 * reserved
    assert 0 < found.expected_nanousd < found.worst_nanousd


def test_a_replay_is_estimated_by_its_arbiter():
    member, judge = make_model(price=None), make_model()
    version = make_dataset_version(examples=10)
    found = estimate(version, arbitrated(member, judge=judge), replies="recorded")
    assert (found.asked, found.asks_nobody, found.unpriced) == (0, False, ())
    assert found.worst_nanousd > found.expected_nanousd > 0
    assert found.seconds is None
    free = estimate(version, arbitrated(judge=make_model(price=None, name="judge")), replies="recorded")
    assert (free.expected_nanousd, free.worst_nanousd, free.unpriced) == (None, None, ("judge",))


def test_an_arbiters_habits_are_its_own():
    made = make_finished_run("RRRR", "RRRR")
    judge = made.models[0]
    Call.objects.filter(model=judge).update(completion_tokens=3, latency_s=0.5)
    call = Call.objects.filter(model=judge).first()
    call.pk, call.role, call.seat, call.latency_s, call.completion_tokens = None, Call.Role.ARBITER, 0, 2.0, 400
    call.save()
    panel = arbitrated(make_model(), judge=judge, when=ArbiterWhen.ALWAYS)
    found = estimate(make_dataset_version(examples=8), panel, replies="recorded")
    assert found.seconds == pytest.approx(8 * 2.0 / 2)


def test_arbiters_cost_a_bounded_number_of_queries(django_assert_max_num_queries):
    version, judge = make_dataset_version(examples=30), make_model()
    panels = [arbitrated(judge, judge=make_model()) for _ in range(5)]
    judges = {panel.arbiter_model_id for panel in panels}
    fresh = list(PanelVersion.objects.filter(pk__in=[panel.pk for panel in panels]))
    with django_assert_max_num_queries(5 + 1 + 5 + len(judges)):
        estimate(version, *fresh)
