"""Attempts of one call: rows of their own, one reply, one seat."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db.models import Sum

from evaluation.execution.shift import Pace
from evaluation.execution.work import work_run
from evaluation.models import ArmProgress, Call, Run
from evaluation.services.runs import retry_failed
from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply
from tests.factories import NOW, make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure, reply

pytestmark = pytest.mark.django_db(transaction=True)

PACE = Pace(pulse_s=0.02, flush_s=0.005)
TWICE = (failure(FailureKind.SERVER), failure(FailureKind.RATE_LIMITED))


def work(run: Run, providers: ScriptedProviders, **options: Any) -> None:
    work_run(run_id=run.pk, clients_for=providers.clients_for, worker="w", clock=Clock(), pace=PACE)
    run.refresh_from_db()


def attempts(run: Run, arm: int, *fields: str) -> list[tuple[object, ...]]:
    calls = Call.objects.filter(answer__run=run, answer__arm__position=arm)
    return list(calls.order_by("answer__position", "seat", "attempt").values_list(*fields))


def errors(run: Run) -> list[dict[str, int]]:
    return list(ArmProgress.objects.filter(run=run).order_by("arm__position").values_list("errors", flat=True))


def test_every_attempt_is_a_row_and_only_the_last_buys_the_reply():
    shaky, steady = make_model(), make_model()
    panels = [make_panel_version([[shaky, steady]]), make_panel_version([[steady]])]
    run = make_run(make_experiment(panels, version=make_dataset_version(examples=1)))
    work(run, ScriptedProviders(answer=lambda asked: reply(earlier=TWICE if asked.model == str(shaky.pk) else ())))
    assert attempts(run, 0, "seat", "attempt", "outcome", "text", "group") == [
        (0, 1, "server", "", None),
        (0, 2, "rate_limited", "", None),
        (0, 3, "ok", "A", 0),
        (1, 1, "ok", "A", 0),
    ]
    assert [key != "" for (key,) in attempts(run, 0, "reply_key")] == [False, False, True, True]
    assert attempts(run, 0, "offset_s", "latency_s")[:3] == [(0.0, 0.1), (0.6, 0.1), (1.2, 0.25)]
    answer = run.answers.get(arm__position=0)
    assert (answer.call_count, answer.latency_s, answer.degraded) == (2, pytest.approx(1.45), [])
    assert errors(run) == [{"rate_limited": 1, "server": 1}, {}]
    assert run.spent_nanousd == Call.objects.filter(answer__run=run).aggregate(total=Sum("spent_nanousd"))["total"]
    assert answer.cost_nanousd == Call.objects.filter(answer=answer).aggregate(total=Sum("cost_nanousd"))["total"]
    assert run.reserved_nanousd == 0


def test_an_arm_that_shares_the_reply_does_not_repeat_its_attempts():
    model = make_model()
    panels = [make_panel_version([[model]]), make_panel_version([[model], [make_model()]])]
    run = make_run(make_experiment(panels, version=make_dataset_version(examples=1)))
    work(run, ScriptedProviders(answer=lambda asked: reply(earlier=TWICE if asked.model == str(model.pk) else ())))
    shares = sorted(len([seat for (seat,) in attempts(run, arm, "seat") if seat == 0]) for arm in (0, 1))
    assert shares == [1, 3]
    assert sorted(map(len, errors(run))) == [0, 2]
    assert Call.objects.filter(answer__run=run).exclude(reused_from=None).get().reused_from.attempt == 3


def test_a_failed_call_keeps_its_attempts_and_a_retry_goes_on_counting():
    model = make_model()
    run = make_run(make_experiment([make_panel_version([[model]])], version=make_dataset_version(examples=1)))
    work(run, ScriptedProviders(answer=lambda _: failure(FailureKind.TIMEOUT, earlier=TWICE)))
    assert attempts(run, 0, "attempt", "outcome") == [(1, "server"), (2, "rate_limited"), (3, "timeout")]
    assert errors(run) == [{"rate_limited": 1, "server": 1, "timeout": 1}]
    for kind in (FailureKind.SERVER, FailureKind.CONNECTION):
        retry_failed(run=run, by=None, now=NOW)
        again = failure(kind, earlier=TWICE[:1])
        work(run, ScriptedProviders(answer=partial(lambda result, _: result, again)))
    assert [number for (number,) in attempts(run, 0, "attempt")] == [1, 2, 3, 4, 5, 6, 7]
    assert errors(run) == [{"connection": 1, "server": 1}]
    retry_failed(run=run, by=None, now=NOW)
    work(run, ScriptedProviders(answer=lambda _: reply(earlier=TWICE)))
    assert errors(run) == [{"rate_limited": 1, "server": 1}]
    assert attempts(run, 0, "attempt", "outcome")[-1] == (10, "ok")
    assert ArmProgress.objects.get(run=run).calls == 1
    assert run.spent_nanousd == Call.objects.filter(answer__run=run).aggregate(total=Sum("spent_nanousd"))["total"]


def test_a_kept_reply_keeps_the_count_of_its_attempts():
    good, bad = make_model(), make_model()
    run = make_run(make_experiment([make_panel_version([[good, bad]])], version=make_dataset_version(examples=1)))

    def answer(request: ModelRequest) -> Reply | Failure:
        return reply("no idea", earlier=TWICE) if request.model == str(good.pk) else failure(FailureKind.TIMEOUT)

    work(run, ScriptedProviders(answer=answer))
    assert errors(run) == [{"rate_limited": 1, "server": 1, "timeout": 1}]
    retry_failed(run=run, by=None, now=NOW)
    work(run, ScriptedProviders())
    assert errors(run) == [{"rate_limited": 1, "server": 1}]
