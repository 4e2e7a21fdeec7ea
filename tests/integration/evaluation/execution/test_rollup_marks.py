"""Whoever writes answers or calls says so: what the rollups count is what there is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Sum

from evaluation.execution.rollups import hour_of, sweep_rollups
from evaluation.models import Answer, AnswerRollup, Call, CallRollup, Grain, RollupDue
from evaluation.services.runs import retry_failed
from panels.fusion.types import FailureKind
from tests.factories import NOW
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, failure
from tests.integration.evaluation.execution.test_live_answers import gated
from tests.integration.evaluation.execution.test_work import panel_run, work
from tests.integration.evaluation.live_questions import at, make_helpdesk

pytestmark = pytest.mark.django_db(transaction=True)


def counted() -> dict[str, int | None]:
    sweep_rollups(now=NOW)
    hours = CallRollup.objects.filter(grain=Grain.HOUR).aggregate(calls=Sum("calls"), spent=Sum("spent_nanousd"))
    return hours | AnswerRollup.objects.filter(grain=Grain.HOUR).aggregate(answers=Sum("answers"))


def stored() -> dict[str, int | None]:
    return {
        "calls": Call.objects.count(),
        "spent": Call.objects.aggregate(total=Sum("spent_nanousd"))["total"],
        "answers": Answer.objects.count(),
    }


def test_a_run_is_counted_whole():
    work(panel_run(), ScriptedProviders())
    assert counted() == stored()
    assert not RollupDue.objects.exists()


def test_a_retried_answer_moves_to_the_hour_in_which_it_came_anew():
    run, clock = panel_run(examples=1), Clock()
    work(run, ScriptedProviders(answer=lambda _: failure(FailureKind.TIMEOUT)), clock=clock)
    assert counted() == stored()
    retry_failed(run=run, by=None, now=NOW)
    clock.move(hours=3)
    work(run, ScriptedProviders(), clock=clock)
    assert counted() == stored()
    hours = AnswerRollup.objects.filter(grain=Grain.HOUR).values_list("starts_at", flat=True)
    assert set(hours) == {hour_of(NOW + timedelta(hours=3))}


def test_a_live_answer_and_what_comes_late_are_counted():
    gate, slow = gated()
    desk = make_helpdesk(a="One.", b=slow)
    desk.put(deadline_s=0.2, on_answer=lambda _: gate.event.set())
    assert counted() == stored()
    at(desk, NOW + timedelta(hours=1)).put(deadline_s=0.2)
    assert counted() == stored()
