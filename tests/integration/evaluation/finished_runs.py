"""Finished runs whose right and wrong answers a test names, with their calls and their computed result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.execution.results import compute_result
from evaluation.models import Answer, Arm, ArmProgress, Call, Experiment, Run
from panels.models import LanguageModel
from tests.factories import NOW, make_dataset_version, make_experiment, make_model, make_panel_version, make_run


@dataclass(frozen=True)
class FinishedRun:
    """``baseline`` is a panel of one, ``panel`` has three members."""

    run: Run
    baseline: Arm
    panel: Arm
    models: tuple[LanguageModel, ...]

    def answers(self, arm: Arm) -> list[Answer]:
        return list(Answer.objects.filter(run=self.run, arm=arm).order_by("position"))


def make_finished_run(
    baseline: str, panel: str, *, replies: str = Experiment.Replies.LIVE, **experiment_fields: Any
) -> FinishedRun:
    """One letter an example: R right, W wrong, U unscored, A abstained, F failed. A W of the panel is two to one."""
    models = tuple(make_model() for _ in range(3))
    panels = [make_panel_version([[models[0]]]), make_panel_version([list(models)])]
    version = make_dataset_version(examples=len(baseline))
    experiment = make_experiment(panels, version=version, replies=replies, **experiment_fields)
    arms = list(experiment.arms.order_by("position"))
    run = make_run(experiment, state=Run.State.FINISHED, finished_at=NOW, started_at=NOW)
    made = FinishedRun(run=run, baseline=arms[0], panel=arms[1], models=models)
    for arm, letters, seats in ((arms[0], baseline, models[:1]), (arms[1], panel, models)):
        _store(run, arm, letters, seats)
    compute_result(run_id=run.pk, now=NOW)
    return made


def _store(run: Run, arm: Arm, letters: str, seats: Sequence[LanguageModel]) -> None:
    examples = list(run.experiment.dataset_version.examples.order_by("position"))
    answers = [_answer(run, arm, example, letter, seats) for example, letter in zip(examples, letters, strict=True)]
    Answer.objects.bulk_create(answers)
    Call.objects.bulk_create(
        call for answer, letter in zip(answers, letters, strict=True) for call in _calls(answer, letter, seats)
    )
    correct, scored = letters.count("R"), len(letters) - letters.count("U")
    ArmProgress.objects.filter(run=run, arm=arm).update(
        done=len(letters), failed=letters.count("F"), abstained=letters.count("F") + letters.count("A"),
        scored=scored, correct=correct, calls=len(letters) * len(seats),
    )  # fmt: skip


def _answer(run: Run, arm: Arm, example: Any, letter: str, seats: Sequence[LanguageModel]) -> Answer:
    answered = letter in "RWU"
    consensus = 0.0 if not answered else 1.0 if letter == "R" or len(seats) == 1 else 2 / 3
    return Answer(
        run=run,
        arm=arm,
        example=example,
        position=example.position,
        outcome="answered" if answered else "abstained" if letter == "A" else "failed",
        value="A" if letter == "R" else "B" if answered else None,
        winner_seat=0 if answered else None,
        consensus=consensus,
        correct=None if letter == "U" else letter == "R",
        stages_called=1,
        call_count=len(seats),
        cost_nanousd=1_000 * (example.position + 1) * len(seats),
        latency_s=None if letter == "F" else 1.0 / (example.position + 1),
        created_at=NOW,
    )


def _calls(answer: Answer, letter: str, seats: Sequence[LanguageModel]) -> list[Call]:
    dissenter = len(seats) - 1 if letter == "W" and len(seats) > 1 else None
    return [
        Call(
            answer=answer,
            model=model,
            stage=0,
            seat=seat,
            outcome="ok" if letter != "F" else "timeout",
            text=f"I say {answer.value}, seat {seat}" if letter in "RWU" else "",
            ballot=None if letter in "AF" else "C" if seat == dissenter else answer.value,
            group=None if letter in "AF" else int(seat == dissenter),
            cost_nanousd=1_000 * (answer.position + 1),
            spent_nanousd=1_000 * (answer.position + 1),
            offset_s=0.0,
            latency_s=answer.latency_s,
            prompt_tokens=10,
            completion_tokens=5,
            provider_model=f"served-{model.name}",
            response_id=f"response-{seat}",
            created_at=answer.created_at,
        )
        for seat, model in enumerate(seats)
    ]
