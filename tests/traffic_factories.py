"""Answers and calls as monitoring meets them: at a time, of an arm or live, without asking anybody."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from evaluation.models import Answer, Arm, Call, LiveRequest, Run, Workflow
from panels.models import LanguageModel, PanelVersion
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_workflow,
)


def make_traffic_run(*, examples: int = 4, stages: int = 1, **fields: Any) -> Run:
    """Two arms, a single model and a panel of two members a stage, in an experiment of a workflow of its own."""
    baseline, *members = [make_model() for _ in range(1 + 2 * stages)]
    panel = make_panel_version([members[2 * stage : 2 * stage + 2] for stage in range(stages)])
    experiment = make_experiment(
        [make_panel_version([[baseline]]), panel],
        version=make_dataset_version(examples=examples),
        workflow=make_workflow(),
    )
    return make_run(experiment, **fields)


def make_run_answer(run: Run, arm: Arm, position: int, *, at: datetime = NOW, **fields: Any) -> Answer:
    example = run.experiment.dataset_version.examples.get(position=position)
    place = {"run": run, "arm": arm, "example": example, "position": position}
    return Answer.objects.create(**place, **(_answer_defaults(at) | fields))


def make_live_answer(
    version: PanelVersion, *, at: datetime = NOW, workflow: Workflow | None = None, **fields: Any
) -> Answer:
    answer = Answer.objects.create(**(_answer_defaults(at) | fields))
    LiveRequest.objects.create(
        answer=answer,
        panel_version=version,
        workflow=workflow,
        answer_kind="text",
        messages='[{"role": "user", "content": "Who?"}]',
        created_at=at,
    )
    return answer


def make_call(answer: Answer, model: LanguageModel, *, seat: int = 0, **fields: Any) -> Call:
    defaults = {
        "stage": 0,
        "outcome": Call.OK,
        "ballot": "A",
        "group": 0,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost_nanousd": 120_000,
        "spent_nanousd": 120_000,
        "latency_s": 0.4,
        "created_at": answer.created_at,
    }
    return Call.objects.create(answer=answer, model=model, seat=seat, **(defaults | fields))


def make_busy_hour(run: Run, *, at: datetime, seed: int) -> None:
    """An answer of either arm to every example of the run, from ``at`` on, with whatever calls do."""
    random = Random(seed)
    for arm in run.experiment.arms.order_by("position"):
        members = list(arm.panel_version.members.select_related("model").order_by("seat"))
        for position in range(run.experiment.dataset_version.example_count):
            answer = make_run_answer(run, arm, position, at=at, **_some_answer(random))
            for member in members:
                make_call(answer, member.model, seat=member.seat, **_some_call(random))


def _answer_defaults(at: datetime) -> dict[str, Any]:
    return {
        "outcome": "answered",
        "value": "A",
        "winner_seat": 0,
        "consensus": 1.0,
        "stages_called": 1,
        "call_count": 1,
        "created_at": at,
    }


def _some_answer(random: Random) -> dict[str, Any]:
    if random.random() < 0.1:
        return {"outcome": "failed", "value": None, "winner_seat": None, "consensus": 0.0, "correct": False}
    return {
        "consensus": random.choice([0.5, 1.0, random.random()]),
        "confidence": random.choice([None, random.random()]),
        "correct": random.choice([True, False, None]),
        "cost_nanousd": random.choice([None, random.randrange(10**9)]),
        "latency_s": random.lognormvariate(-1, 1),
        "degraded": random.choice([[], [{"kind": "member_failed", "reason": "timeout", "seat": 0}]]),
    }


def _some_call(random: Random) -> dict[str, Any]:
    if random.random() < 0.2:
        return {"outcome": random.choice(["timeout", "server"]), "ballot": None, "group": None, "latency_s": 2.0}
    return {
        "cost_nanousd": random.choice([None, random.randrange(10**9)]),
        "latency_s": random.lognormvariate(-1, 1),
        "first_token_s": random.choice([None, random.lognormvariate(-2, 0.5)]),
    }
