"""A member that its provider does not answer for, over the simulator's socket: the panel answers all the same."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db.models import Sum

from evaluation.execution.work import work_run
from evaluation.models import Answer, ArmProgress, Call, Run
from panels.fusion.breaker import BreakerState
from panels.fusion.registry import ModelKey
from panels.gateway import open_clients
from panels.models import LanguageModel
from panels.shared_state import provider_health
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_provider,
    make_run,
)
from tests.integration.evaluation.execution.scripted_clients import Clock
from tests.simulator_server import serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = ("sim-atlas-large", "sim-cobalt-medium")


def run_with(dead: str, *, examples: int) -> tuple[Run, LanguageModel]:
    """A finished run of a panel of two good members and one that is dead."""
    with serve_simulator() as simulator:
        provider = make_provider(slug="house", base_url=simulator.base_url)
        models = [make_model(provider=provider, name=name) for name in (*GOOD, dead)]
        version = make_dataset_version(examples=examples, answer_kind="text", scorer="short_f1")
        run = make_run(make_experiment([make_panel_version([models])], version=version), concurrency=6)

        def clients_for(models, concurrency):
            return open_clients(models, concurrency=concurrency, environ={})

        work_run(run_id=run.pk, clients_for=clients_for, worker="w", clock=Clock())
    run.refresh_from_db()
    return run, models[-1]


@pytest.mark.parametrize(("dead", "kind"), [("chaos-500", "server"), ("chaos-529", "server")])
def test_a_member_that_always_fails_is_left_out_and_soon_not_asked_any_more(dead, kind):
    run, model = run_with(dead, examples=12)
    assert run.state == Run.State.FINISHED
    assert run.answers.count() == 12
    assert set(run.answers.values_list("call_count", flat=True)) == {3}
    assert not run.answers.filter(outcome=Answer.Outcome.FAILED).exists()
    reasons = Counter(cut["reason"] for answer in run.answers.all() for cut in answer.degraded)
    assert set(reasons) == {kind, "breaker_open"}
    assert reasons.total() == 12
    failed = Call.objects.filter(answer__run=run, model=model)
    sent = failed.exclude(outcome="breaker_open").count()
    # Six at once, three times at most, and every one of them a row; the breaker turns the rest away.
    assert 5 <= sent <= 18
    assert ArmProgress.objects.get(run=run).errors == Counter(failed.values_list("outcome", flat=True))
    assert failed.aggregate(total=Sum("spent_nanousd"))["total"] == 0
    states = dict(provider_health().models)
    assert states[ModelKey("house", dead)].state in {BreakerState.OPEN, BreakerState.PROBING}
    assert states[ModelKey("house", GOOD[0])].state is BreakerState.CLOSED
    assert run.reserved_nanousd == 0


def test_a_member_that_fails_once_is_asked_again_and_its_ballot_counts():
    run, model = run_with("chaos-500-once", examples=3)
    calls = Call.objects.filter(answer__run=run, model=model).order_by("answer__position", "attempt")
    assert list(calls.values_list("attempt", "outcome")) == [(1, "server"), (2, "ok")] * 3
    assert not any(answer.degraded for answer in run.answers.all())
    assert ArmProgress.objects.get(run=run).errors == {"server": 3}
    for first, second in zip(calls[::2], calls[1::2], strict=True):
        assert (second.offset_s or 0.0) >= (first.offset_s or 0.0) + (first.latency_s or 0.0)
        assert (first.text, first.reply_key, first.spent_nanousd) == ("", "", 0)
        assert second.reply_key


def test_a_member_that_is_always_one_too_many_slows_down_its_provider_and_no_other():
    run, _ = run_with("chaos-429", examples=4)
    assert not run.answers.filter(outcome=Answer.Outcome.FAILED).exists()
    assert "rate_limited" in ArmProgress.objects.get(run=run).errors
    limits = dict(provider_health().limits)
    assert limits["house"].in_use == limits["house"].waiting == 0
