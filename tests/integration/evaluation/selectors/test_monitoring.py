from __future__ import annotations

from datetime import timedelta

import pytest

from evaluation.execution.rollups import mark_due, sweep_rollups
from evaluation.models import RollupDue
from evaluation.selectors.monitoring import MonitoringPage, model_columns, model_records, monitoring_page
from evaluation.selectors.monitoring_filters import monitoring_filter
from panels.fusion.breaker import BreakerState
from panels.models import PanelVersion, ProviderHealth
from tests.factories import NOW, make_model, make_panel_version, make_provider, make_workflow
from tests.traffic_factories import make_busy_hour, make_call, make_live_answer, make_traffic_run

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=40)


def swept(*times) -> None:
    mark_due(times)
    sweep_rollups(now=LATER)


def page_of(*, now=LATER, **query: str) -> MonitoringPage:
    return monitoring_page(monitoring_filter(query), now=now)


def asked_panel(*answers: dict, **call) -> PanelVersion:
    """A panel of one, asked once for each of ``answers``."""
    version = make_panel_version([[make_model(provider=make_provider(kind="openai"))]])
    for fields in answers:
        make_call(make_live_answer(version, **fields), version.members.get().model, **call)
    swept(NOW)
    return version


# Money


def test_every_request_is_paid_by_those_that_were_answered_and_by_those_that_are_right():
    failed = {"outcome": "failed", "value": None, "winner_seat": None, "cost_nanousd": 100, "correct": False}
    asked_panel({"cost_nanousd": 300, "correct": True}, {"cost_nanousd": 200, "correct": False}, failed)
    page = page_of()
    assert (page.per_request_nanousd, page.per_answered_nanousd, page.per_correct_nanousd) == (200, 300, 600)


def test_an_unknown_price_is_left_out_and_counted():
    asked_panel({"cost_nanousd": 300}, {"cost_nanousd": None}, spent_nanousd=None)
    page = page_of()
    assert (page.per_request_nanousd, page.answers.priced, page.answers.cost_unknown) == (300, 1, 1)
    assert (page.spend.known_nanousd, page.spend.unknown) == (None, 2)


def test_without_any_price_costs_are_unknown():
    asked_panel({"cost_nanousd": None, "correct": True})
    page = page_of()
    assert (page.per_request_nanousd, page.per_answered_nanousd, page.per_correct_nanousd) == (None, None, None)


def test_what_is_not_scored_has_no_cost_per_correct_answer():
    asked_panel({"cost_nanousd": 300, "correct": None})
    assert page_of().per_correct_nanousd is None


# Models


def test_a_model_has_its_percentiles_its_errors_by_kind_and_its_breaker():
    version = asked_panel({}, {}, latency_s=0.5, first_token_s=0.1)
    model = version.members.get().model
    for outcome in ("timeout", "timeout", "server"):
        make_call(make_live_answer(version), model, outcome=outcome, latency_s=9.0)
    swept(NOW)
    breaker = {"name": model.name, "state": "open", "left_s": 9_999, "calls": 3, "failures": 3, "last_failure": "503"}
    other = breaker | {"name": "another", "state": "closed"}
    ProviderHealth.objects.create(
        provider=model.provider, worker="w", breakers=[other, breaker], limit=4, ceiling=8, waiting=0, seen_at=NOW
    )
    (row,) = page_of(span="24h").models
    assert (row.p50_s, row.p99_s, row.first_token_p95_s) == pytest.approx((0.5, 0.5, 0.1), rel=0.01)
    assert (row.errors.count, row.errors.n, row.timeouts.count) == (3, 5, 2)
    assert row.kinds == (("timed out", 2), ("provider failed", 1))
    assert row.breaker is not None
    assert row.breaker.state is BreakerState.OPEN
    assert row.error_steps == (*[None] * 23, 0.6)
    assert row.p95_steps[-1] == pytest.approx(0.5, rel=0.01)
    assert row.p95_steps[:-1] == (None,) * 23


def test_the_rates_of_the_page_are_those_of_its_models_together():
    make_busy_hour(make_traffic_run(examples=8), at=NOW, seed=1)
    swept(NOW)
    page = page_of()
    assert page.calls.n == sum(row.whole.asked for row in page.models) == 24
    assert page.calls.count == sum(row.whole.failed for row in page.models) > 0
    assert page.calls.interval is not None
    assert page.calls.interval.low < page.calls.count / 24 < page.calls.interval.high
    assert page.spend.nanousd == sum(step.spend.nanousd for step in page.by_step) > 0


def test_an_export_of_models_has_a_column_for_every_kind_of_failure():
    version = asked_panel({}, latency_s=0.5)
    make_call(make_live_answer(version), version.members.get().model, outcome="server")
    swept(NOW)
    page = page_of()
    (row,) = model_records(page)
    assert set(row) == set(model_columns(page))
    assert (row["failed"], row["failed_server"], row["requests"], row["simulated"]) == (1, 1, 2, False)


# What it can be narrowed to


def test_only_what_had_traffic_is_offered():
    run = make_traffic_run()
    make_busy_hour(run, at=NOW, seed=1)
    make_workflow(name="Never asked")
    swept(NOW)
    offered = {choice.name: [option.label for option in choice.options] for choice in monitoring_filter({}).choices}
    assert offered["workflow"] == [run.experiment.workflow.name]
    assert offered["arm"] == [arm.name for arm in run.experiment.arms.order_by("-pk")]
    assert (len(offered["version"]), len(offered["model"]), len(offered["provider"])) == (2, 3, 3)


def test_each_choice_narrows_the_page():
    run, other = make_traffic_run(), make_traffic_run()
    for each, seed in ((run, 1), (other, 2)):
        make_busy_hour(each, at=NOW, seed=seed)
    swept(NOW)
    arm = run.experiment.arms.get(is_baseline=False)
    model = arm.panel_version.members.select_related("model__provider").order_by("seat")[0].model
    assert page_of().answers.answers == 16
    assert page_of(workflow=run.experiment.workflow.slug).answers.answers == 8
    assert page_of(version=str(arm.panel_version_id)).answers.answers == page_of(arm=str(arm.pk)).answers.answers == 4
    assert [row.model for row in page_of(model=str(model.pk)).models] == [model]
    by_provider = page_of(provider=model.provider.slug)
    assert [row.model for row in by_provider.models] == [model]
    assert by_provider.wanted.is_of_calls
    assert by_provider.wanted.words == (f"provider {model.provider.name}",)


@pytest.mark.parametrize("value", ["no-such", "999999", "-1", "9" * 30, "a\0b", "%"])
def test_what_is_not_known_is_said_and_asks_for_nothing(value):
    asked_panel({})
    names = ("workflow", "version", "arm", "provider", "model", "span")
    page = page_of(**dict.fromkeys(names, value))
    assert len(page.wanted.unknown) == 6
    assert page.answers.answers == 1


def test_what_had_no_traffic_yet_can_be_asked_for():
    asked_panel({})
    run, model = make_traffic_run(), make_model()
    arm = run.experiment.arms.get(is_baseline=True)
    for query in (
        {"workflow": run.experiment.workflow.slug},
        {"version": str(arm.panel_version_id)},
        {"arm": str(arm.pk)},
    ):
        page = page_of(**query)
        assert page.wanted.unknown == ()
        assert (page.is_empty, page.has_any) == (True, True)
    assert page_of(model=str(model.pk)).models == page_of(provider=model.provider.slug).models == ()


def test_the_target_is_that_of_the_chosen_workflow():
    workflow = make_workflow(target_p95_ms=500)
    assert monitoring_filter({"workflow": workflow.slug}).target_p95_ms == 500
    assert monitoring_filter({}).target_p95_ms is None


# Whether it is up to date


def test_before_any_traffic_the_page_is_empty_and_not_stale():
    page = page_of()
    assert (page.is_empty, page.has_any, page.freshness.is_stale, page.freshness.waiting) == (True, False, False, 0)


@pytest.mark.parametrize(("minutes", "stale"), [(4, False), (6, True)])
def test_traffic_that_waits_is_late_once_the_sweep_is(minutes, stale):
    asked_panel({})
    mark_due([NOW, NOW + timedelta(minutes=2), NOW - timedelta(hours=3)])
    found = page_of(now=LATER + timedelta(minutes=minutes)).freshness
    assert (found.is_stale, found.waiting, found.oldest) == (stale, 2, NOW - timedelta(hours=3))


def test_where_nothing_waits_an_old_sweep_has_counted_all():
    asked_panel({})
    assert not RollupDue.objects.exists()
    assert not page_of(now=LATER + timedelta(days=1)).freshness.is_stale
    RollupDue.objects.create(hour=NOW)
    assert page_of(now=LATER + timedelta(days=1)).freshness.is_stale
