"""The same panel over each wire format, from the rows of a run to the simulated provider's socket and back."""

from __future__ import annotations

import pytest

from evaluation.execution.loading import load_batch
from evaluation.execution.plan import load_plan
from evaluation.execution.work import work_run
from evaluation.models import Call, Run
from panels.fusion.clients import anthropic, openai
from panels.fusion.pricing import Price, worst_case_cost
from panels.fusion.types import ModelRequest, Sampling
from panels.gateway import clients_for
from panels.models import PanelVersion, Provider
from panels.simulator.catalogue import CATALOGUE
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_provider,
    make_run,
)
from tests.integration.evaluation.execution.scripted_clients import Clock
from tests.simulator_server import serve_simulator
from tests.triggers import rewrite

NAMES = tuple(CATALOGUE)[:3]


def seat_all(provider: Provider) -> PanelVersion:
    return make_panel_version([[make_model(provider=provider, name=name) for name in NAMES]])


def ballots(run: Run, arm: int) -> list[tuple[object, ...]]:
    calls = Call.objects.filter(answer__run=run, answer__arm__position=arm).order_by("answer__position", "seat")
    return list(
        calls.values_list(
            "answer__position", "seat", "text", "ballot", "prompt_tokens", "completion_tokens", "cost_nanousd"
        )
    )


@pytest.mark.django_db(transaction=True)
def test_a_panel_gives_equal_ballots_over_both_wire_formats():
    with serve_simulator(faults=False) as simulator:
        providers = [
            make_provider(kind=Provider.Kind.OPENAI, base_url=simulator.base_url),
            make_provider(kind=Provider.Kind.ANTHROPIC, base_url=simulator.origin),
        ]
        version = make_dataset_version(examples=8)
        run = make_run(make_experiment([seat_all(provider) for provider in providers], version=version))
        work_run(run_id=run.pk, clients_for=clients_for, worker="w", clock=Clock())
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert len({(text, value) for _, _, text, value, *_ in ballots(run, 0)}) > 1
    assert len(ballots(run, 0)) == 8 * len(NAMES)
    assert ballots(run, 0) == ballots(run, 1)
    assert simulator.ledger.received == 2 * 8 * len(NAMES)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "written_by"),
    [
        (Provider.Kind.OPENAI, openai),
        (Provider.Kind.SIMULATED, openai),
        (Provider.Kind.ANTHROPIC, anthropic),
    ],
)
def test_the_worst_case_is_reserved_for_the_body_that_is_sent(kind, written_by):
    model = make_model(provider=make_provider(kind=kind), price=(1_000_000_000, 2_000_000_000))
    seated = make_panel_version([[model]], max_tokens=10)
    rewrite(seated.members.all(), seed=12345)
    run = make_run(make_experiment([seated], version=make_dataset_version(examples=1)))
    plan = load_plan(run.pk, now=NOW)
    (unit,) = load_batch(plan, run.batches.get()).units
    request = ModelRequest(
        model=model.name,
        messages=unit.item.scored.question.messages,
        sampling=Sampling(max_tokens=10, seed=12345),
    )
    price = Price(in_nanousd_per_mtok=1_000_000_000, out_nanousd_per_mtok=2_000_000_000)
    assert unit.seats[0].worst_nanousd == worst_case_cost(
        price, body_bytes=len(written_by.request_body(request)), max_tokens=10
    )
