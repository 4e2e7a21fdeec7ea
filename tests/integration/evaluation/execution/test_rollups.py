from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from math import ceil
from typing import Any

import pytest
from django.db.models import Sum

from evaluation.execution.rollups import hour_of, mark_due, mark_run_due, roll_up, sweep_rollups
from evaluation.models import Answer, AnswerRollup, Call, CallRollup, Grain, RollupDue, RollupState
from evaluation.stats.log_histogram import quantile, unpack
from tests.factories import NOW, make_model, make_panel_version, make_workflow
from tests.traffic_factories import make_busy_hour, make_call, make_live_answer, make_run_answer, make_traffic_run

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = NOW.replace(hour=0)


def swept(*times: datetime) -> int:
    mark_due(times)
    return sweep_rollups(now=NOW)


def of_calls(grain: Grain = Grain.HOUR, **fields: Any):
    return CallRollup.objects.filter(grain=grain, **fields)


def of_answers(grain: Grain = Grain.HOUR, **fields: Any):
    return AnswerRollup.objects.filter(grain=grain, **fields)


def total(rows: Iterable[Any], column: str) -> int:
    return sum(getattr(row, column) for row in rows)


@pytest.mark.parametrize("grain", list(Grain))
def test_counts_and_sums_are_those_of_the_rows(grain):
    run = make_traffic_run(examples=12)
    make_busy_hour(run, at=NOW, seed=1)
    make_busy_hour(make_traffic_run(examples=12), at=NOW - HOUR, seed=2)
    swept(NOW, NOW - HOUR)

    money = Call.objects.aggregate(cost=Sum("cost_nanousd"), spent=Sum("spent_nanousd"), out=Sum("completion_tokens"))
    calls = list(of_calls(grain))
    assert total(calls, "calls") == Call.objects.count()
    assert (total(calls, "cost_nanousd"), total(calls, "spent_nanousd")) == (money["cost"], money["spent"])
    assert total(calls, "completion_tokens") == money["out"]
    assert total(calls, "cost_unknown") == Call.objects.filter(cost_nanousd=None).count()
    for kind in ("ok", "timeout", "server"):
        assert sum(row.outcomes.get(kind, 0) for row in calls) == Call.objects.filter(outcome=kind).count()

    answers = list(of_answers(grain))
    assert total(answers, "answers") == Answer.objects.count()
    assert total(answers, "correct") == Answer.objects.filter(correct=True).count()
    assert total(answers, "scored") == Answer.objects.exclude(correct=None).count()
    assert total(answers, "failed") == Answer.objects.filter(outcome="failed").count()
    assert total(answers, "degraded") == Answer.objects.exclude(degraded=[]).count()
    assert sum(row.reasons.get("member_failed", 0) for row in answers) == total(answers, "degraded")
    assert sum(map(sum, (row.consensus for row in answers))) == Answer.objects.count()
    assert sum(map(sum, (row.confidence for row in answers))) == Answer.objects.exclude(confidence=None).count()


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_percentiles_are_within_one_percent_of_the_rows(q):
    run = make_traffic_run(examples=40)
    for hours in range(3):
        Answer.objects.all().delete()
        make_busy_hour(run, at=NOW - hours * HOUR, seed=hours)
        swept(NOW - hours * HOUR)
        ok = Call.objects.filter(outcome="ok", latency_s__isnull=False)
        measured = list(ok.order_by("latency_s").values_list("latency_s", flat=True))
        counts = unpack(b"".join(bytes(row.latency) for row in of_calls(starts_at=hour_of(NOW - hours * HOUR))))
        exact = measured[ceil(q * len(measured)) - 1]
        assert sum(counts.values()) == len(measured)
        assert quantile(counts, q) == pytest.approx(exact, rel=0.01)


def test_a_row_is_of_a_workflow_a_version_an_arm_a_model_and_a_role():
    run = make_traffic_run()
    _, panel = run.experiment.arms.order_by("position")
    answer = make_run_answer(run, panel, 0, winner_seat=1)
    first, second = panel.panel_version.members.select_related("model").order_by("seat")
    make_call(answer, first.model, seat=0)
    make_call(answer, second.model, seat=1, group=1, ballot="B")
    make_call(answer, first.model, role="arbiter", stage=1, group=None, ballot=None)
    swept(NOW)

    keys = of_calls().values_list("workflow", "panel_version", "arm", "model", "role")
    own = (run.experiment.workflow_id, panel.panel_version_id, panel.pk)
    assert set(keys) == {
        (*own, first.model_id, "member"),
        (*own, second.model_id, "member"),
        (*own, first.model_id, "arbiter"),
    }
    found = of_answers().get()
    assert (found.workflow_id, found.panel_version_id, found.arm_id) == own
    assert (found.arbitrated, found.overturned) == (1, 1)


def test_an_arbiter_that_follows_the_leading_group_overturns_nothing():
    run = make_traffic_run()
    panel = run.experiment.arms.get(is_baseline=False)
    answer = make_run_answer(run, panel, 0, winner_seat=0)
    make_call(answer, make_model(), seat=0, group=0)
    make_call(answer, make_model(), role="arbiter", stage=1, group=None)
    swept(NOW)
    found = of_answers().get()
    assert (found.arbitrated, found.overturned) == (1, 0)


def test_live_answers_have_no_arm_and_the_workflow_they_were_asked_for():
    version, workflow = make_panel_version([[make_model()]]), make_workflow()
    for asked_for in (None, workflow):
        make_call(make_live_answer(version, workflow=asked_for), version.members.get().model)
    swept(NOW)
    for asked_for in (None, workflow):
        assert of_calls(panel_version=version, arm=None, workflow=asked_for).get().calls == 1
        assert of_answers(panel_version=version, arm=None, workflow=asked_for).get().answers == 1


def test_what_asked_nobody_has_no_latency():
    version = make_panel_version([[make_model()]])
    model = version.members.get().model
    bought = make_call(make_live_answer(version), model, first_token_s=0.1)
    make_call(make_live_answer(version), model, reused_from=bought, spent_nanousd=0, first_token_s=0.1)
    make_call(make_live_answer(version), model, outcome="timeout", latency_s=30.0)
    swept(NOW)
    row = of_calls().get()
    assert (row.calls, row.reused, row.replayed) == (3, 1, 0)
    assert [sum(unpack(bytes(packed)).values()) for packed in (row.latency, row.first_token)] == [1, 1]


def test_stages_tell_what_went_on_and_what_stopped_early():
    run = make_traffic_run(stages=2)
    panel = run.experiment.arms.get(is_baseline=False)
    make_run_answer(run, panel, 0, stages_called=1)
    make_run_answer(run, panel, 1, stages_called=2, settled=True)
    make_run_answer(run, panel, 2, stages_called=0, outcome="failed", value=None, winner_seat=None, consensus=0.0)
    swept(NOW)
    found = of_answers().get()
    assert (found.escalated, found.stopped_early, found.settled) == (1, 1, 1)


@pytest.mark.parametrize(("consensus", "place"), [(0.0, 0), (0.049, 0), (0.05, 1), (0.999, 19), (1.0, 19)])
def test_the_last_bin_of_consensus_is_closed(consensus, place):
    make_live_answer(make_panel_version([[make_model()]]), consensus=consensus)
    swept(NOW)
    assert of_answers().get().consensus[place] == 1


def test_rolling_up_again_changes_nothing():
    make_busy_hour(make_traffic_run(), at=NOW, seed=3)
    swept(NOW)
    first = list(CallRollup.objects.order_by("pk").values_list("grain", "model", "calls", "latency"))
    swept(NOW)
    again = list(CallRollup.objects.order_by("pk").values_list("grain", "model", "calls", "latency"))
    assert [row[:3] for row in first] == [row[:3] for row in again]
    assert [bytes(row[3]) for row in first] == [bytes(row[3]) for row in again]


def test_a_late_row_changes_its_hour_and_its_day():
    version = make_panel_version([[make_model()]])
    make_live_answer(version, at=NOW)
    swept(NOW)
    make_live_answer(version, at=NOW - 5 * HOUR)
    assert swept(NOW - 5 * HOUR) == 1
    assert of_answers(starts_at=hour_of(NOW - 5 * HOUR)).get().answers == 1
    assert of_answers(Grain.DAY, starts_at=MIDNIGHT).get().answers == 2


def test_an_hour_whose_rows_are_gone_has_no_row():
    answer = make_live_answer(make_panel_version([[make_model()]]))
    swept(NOW)
    answer.delete()
    swept(NOW)
    assert not AnswerRollup.objects.exists()


def test_a_day_ends_at_midnight_utc():
    version = make_panel_version([[make_model()]])
    for at in (MIDNIGHT, MIDNIGHT + DAY - timedelta(microseconds=1), MIDNIGHT + DAY):
        make_live_answer(version, at=at)
    swept(MIDNIGHT, MIDNIGHT + 23 * HOUR, MIDNIGHT + DAY)
    days = of_answers(Grain.DAY).order_by("starts_at").values_list("starts_at", "answers")
    assert list(days) == [(MIDNIGHT, 2), (MIDNIGHT + DAY, 1)]


def test_an_hour_is_one_of_utc_whatever_zone_it_is_told_in():
    india = timezone(timedelta(hours=5, minutes=30))
    assert hour_of(datetime(2026, 11, 23, 17, 45, tzinfo=india)) == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_sweep_takes_the_oldest_hours_first_and_says_when_all_are_done():
    version = make_panel_version([[make_model()]])
    for hours in range(3):
        make_live_answer(version, at=NOW - hours * HOUR)
        mark_due([NOW - hours * HOUR])
    assert sweep_rollups(now=NOW, most_hours=2) == 2
    assert list(RollupDue.objects.values_list("hour", flat=True)) == [NOW]
    assert RollupState.objects.get().swept_at is None
    assert sweep_rollups(now=NOW, most_hours=2) == 1
    assert RollupState.objects.get().swept_at == NOW
    assert sweep_rollups(now=NOW + HOUR) == 0
    assert RollupState.objects.get().swept_at == NOW + HOUR


def test_all_hours_of_a_run_can_be_marked():
    run = make_traffic_run()
    arm = run.experiment.arms.get(is_baseline=True)
    for position, at in enumerate([NOW, NOW + timedelta(minutes=3), NOW - 2 * HOUR]):
        make_run_answer(run, arm, position, at=at)
    mark_run_due(run)
    assert set(RollupDue.objects.values_list("hour", flat=True)) == {NOW, NOW - 2 * HOUR}


def test_queries_do_not_grow_with_the_calls(django_assert_max_num_queries):
    make_busy_hour(make_traffic_run(examples=30), at=NOW, seed=4)
    RollupState.objects.create(pk=RollupState.ONLY)
    with django_assert_max_num_queries(22):
        roll_up(NOW)
