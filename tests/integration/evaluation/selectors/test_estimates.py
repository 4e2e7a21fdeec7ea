from __future__ import annotations

import pytest
from django.db.models import Sum

from evaluation.models import ArmProgress, Call
from evaluation.selectors.estimates import ByteLength, RunEstimate, estimate_run
from panels.models import PanelVersion
from tests.factories import make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db


def estimate(version, *panels: PanelVersion, replies: str = "live", reuse: bool = True, concurrency: int = 2):
    return estimate_run(version=version, panels=panels, replies=replies, concurrency=concurrency, reuse=reuse)


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
