from __future__ import annotations

from datetime import timedelta

import pytest

from evaluation.execution.rollups import mark_due, sweep_rollups
from evaluation.models import Call
from evaluation.selectors.traffic import Span, TrafficFilter, answer_traffic, model_traffic, steps_of
from tests.factories import NOW, make_model, make_panel_version
from tests.traffic_factories import make_busy_hour, make_call, make_live_answer, make_traffic_run

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LATER = NOW + timedelta(minutes=40)


def swept(*times) -> None:
    mark_due(times)
    sweep_rollups(now=LATER)


@pytest.mark.parametrize(
    ("span", "count", "step"),
    [("24h", 24, HOUR), ("7d", 56, 3 * HOUR), ("14d", 14, 24 * HOUR), ("30d", 30, 24 * HOUR), ("90d", 90, 24 * HOUR)],
)
def test_the_last_step_of_a_span_holds_now(span, count, step):
    steps = steps_of(Span(span), now=LATER)
    assert len(list(steps)) == len(steps) == count
    assert steps.step == step
    assert steps.place_of(LATER) == count - 1
    assert steps.until - step <= LATER < steps.until
    assert all(start.timestamp() % step.total_seconds() == 0 for start in steps)


@pytest.mark.parametrize("span", list(Span))
def test_every_span_counts_every_call_once(span):
    run = make_traffic_run(examples=6)
    make_busy_hour(run, at=NOW, seed=1)
    make_busy_hour(make_traffic_run(examples=6), at=NOW - 3 * HOUR, seed=2)
    swept(NOW, NOW - 3 * HOUR)
    models = model_traffic(TrafficFilter(), steps_of(span, now=LATER))
    assert sum(model.whole.calls for model in models) == Call.objects.count()
    for model in models:
        assert sum(step.calls for step in model.steps.values()) == model.whole.calls
    answers = answer_traffic(TrafficFilter(), steps_of(span, now=LATER))
    assert answers.whole.answers == sum(step.answers for step in answers.steps.values()) == 24
    assert sum(answers.whole.consensus) == 24


def test_what_asked_nobody_is_no_request_and_no_error():
    version = make_panel_version([[make_model()]])
    model = version.members.get().model
    bought = make_call(make_live_answer(version), model, latency_s=0.5, first_token_s=0.1)
    make_call(make_live_answer(version), model, reused_from=bought)
    for outcome in ("timeout", "server", "breaker_open", "ceiling"):
        make_call(make_live_answer(version), model, outcome=outcome)
    swept(NOW)
    (found,) = model_traffic(TrafficFilter(), steps_of(Span.DAY, now=LATER))
    assert (found.whole.calls, found.whole.asked, found.whole.failed) == (6, 3, 2)
    assert found.whole.errors == {"timeout": 1, "server": 1}
    assert found.whole.latency_at(0.95) == pytest.approx(0.5, rel=0.01)
    assert found.whole.first_token_at(0.95) == pytest.approx(0.1, rel=0.01)


def test_the_filter_chooses_by_every_key():
    run, other = make_traffic_run(), make_traffic_run()
    for each, seed in ((run, 1), (other, 2)):
        make_busy_hour(each, at=NOW, seed=seed)
    swept(NOW)
    arm = run.experiment.arms.get(is_baseline=False)
    member = arm.panel_version.members.select_related("model").first()
    assert member is not None
    steps = steps_of(Span.DAY, now=LATER)

    def calls(**chosen: int | None) -> int:
        return sum(model.whole.calls for model in model_traffic(TrafficFilter(**chosen), steps))

    assert calls() == 24
    assert calls(workflow=run.experiment.workflow_id) == 12
    assert calls(arm=arm.pk) == calls(version=arm.panel_version_id) == 8
    assert calls(model=member.model_id) == calls(provider=member.model.provider_id) == 4
    assert answer_traffic(TrafficFilter(arm=arm.pk), steps).whole.answers == 4
    assert answer_traffic(TrafficFilter(arm=arm.pk, model=member.model_id), steps).whole.answers == 4


def test_nothing_is_shown_of_what_is_outside_the_span():
    version = make_panel_version([[make_model()]])
    long_ago = NOW - timedelta(days=2)
    make_call(make_live_answer(version, at=long_ago), version.members.get().model)
    swept(long_ago)
    assert model_traffic(TrafficFilter(), steps_of(Span.DAY, now=LATER)) == ()
    empty = answer_traffic(TrafficFilter(), steps_of(Span.DAY, now=LATER))
    assert (empty.whole.answers, empty.whole.latency_at(0.5), dict(empty.steps)) == (0, None, {})
    assert answer_traffic(TrafficFilter(), steps_of(Span.WEEK, now=LATER)).whole.answers == 1
