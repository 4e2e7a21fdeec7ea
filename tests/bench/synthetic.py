"""Made-up datasets of a given size, and the experiments over them. The same seed makes the same data."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from django.utils import timezone

from evaluation.execution.work import Progress, work_run
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.files import SourceFile
from evaluation.models import Call, DatasetVersion, Experiment, Run
from evaluation.services.experiments import ArmSpec, create_experiment
from evaluation.services.imports import import_files
from evaluation.services.runs import start_run
from panels.fusion.types import AnswerKind, Sampling, StrategyName
from panels.gateway import clients_for
from panels.models import LanguageModel
from panels.services.panels import create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec
from tests.bench.figures import cpu_s

CHOICES = ("A", "B", "C", "D")
# How often each recorded model is right on an example of middling difficulty.
SKILLS = {"strong": 0.8, "able": 0.7, "fair": 0.66, "quick": 0.6, "small": 0.55, "tiny": 0.5}
_VOCABULARY = (
    "account balance branch cargo charter climate contract current delivery discount engine estimate factor freight "
    "harbour index interest invoice ledger margin market measure method network order payment period policy price "
    "quantity quarter rate record region reserve river sample season service share signal storage supply tariff term "
    "transfer value vessel volume warehouse weight window"
)
_WORDS = _VOCABULARY.split()


def write_items(path: Path, *, count: int, seed: int = 0) -> Path:
    """``count`` questions of about 100 words with four choices, no two alike."""
    rng = random.Random(seed)
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for number in range(count):
            row = {
                "id": f"item-{number:06d}",
                "prompt": f"Question {seed}-{number}: {_sentence(rng, 100)} A, B, C or D?",
                "choices": CHOICES,
                "reference": CHOICES[number % len(CHOICES)],
            }
            file.write(json.dumps(row) + "\n")
    return path


def write_outputs(path: Path, *, count: int, models: Sequence[str], words: int = 50, seed: int = 0) -> Path:
    """One output of about ``words`` words of each model for each of ``count`` items; what is hard is hard for all."""
    rng = random.Random(f"outputs {seed}")
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for number in range(count):
            ease = rng.gauss(0.0, 0.2)
            for model in models:
                file.write(json.dumps(_output(rng, number, model, ease, words)) + "\n")
    return path


def write_prices(path: Path, *, models: Sequence[str]) -> Path:
    rows = [
        {"model": name, "price_in_per_mtok": 0.1 * 2**place, "price_out_per_mtok": 0.4 * 2**place}
        for place, name in enumerate(reversed(models))
    ]
    path.write_text(json.dumps(rows))
    return path


def _output(rng: random.Random, number: int, model: str, ease: float, words: int) -> dict[str, object]:
    right = CHOICES[number % len(CHOICES)]
    is_right = rng.random() < SKILLS[model] + ease
    # Half of the errors go to the same wrong choice, as errors of models do.
    wrong = [choice for choice in CHOICES if choice != right]
    letter = right if is_right else wrong[0] if rng.random() < 0.5 else rng.choice(wrong)
    return {
        "item_id": f"item-{number:06d}",
        "model": model,
        "text": f"{_sentence(rng, words)} The answer is ({letter}).",
        "prompt_tokens": 120 + rng.randrange(60),
        "completion_tokens": 40 + rng.randrange(80),
        "latency_s": round(rng.lognormvariate(-0.7, 0.4), 3),
    }


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)).capitalize() + "."


def prose(rng: random.Random, words: int) -> str:
    """Paragraphs of about 60 words, each of five sentences, with a list at the end."""
    *paragraphs, last = [" ".join(_sentence(rng, 12) for _ in range(5)) for _ in range(max(1, words // 60))]
    points = "\n".join(f"- **{_sentence(rng, 3)}** {_sentence(rng, 8)}" for _ in range(3))
    return "\n\n".join([*paragraphs, last, points])


def import_dataset(
    name: str, *, items: Path, outputs: Path | None = None, prices: Path | None = None
) -> DatasetVersion:
    files = DatasetFiles(
        items=SourceFile(path=items, name=items.name),
        recorded=SourceFile(path=outputs, name=outputs.name) if outputs else None,
        models=SourceFile(path=prices, name=prices.name) if prices else None,
    )
    choices = ReadingChoices(kind=AnswerKind.CHOICE, scorer="exact")
    return import_files(name=name, files=files, choices=choices, by=None, clock=timezone.now).version


def import_recorded(name: str, *, folder: Path, count: int, models: Sequence[str], words: int = 50) -> DatasetVersion:
    """A published version of ``count`` examples with outputs of about ``words`` words and prices of the ``models``."""
    return import_dataset(
        name,
        items=write_items(folder / "items.jsonl.gz", count=count),
        outputs=write_outputs(folder / "outputs.jsonl.gz", count=count, models=models, words=words),
        prices=write_prices(folder / "models.json", models=models),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPlan:
    """An arm to be: model names by stage."""

    name: str
    stages: tuple[tuple[str, ...], ...]
    stop_at: float | None = None
    settles: bool = False


def start_comparison(version: DatasetVersion, *, title: str, arms: Sequence[ArmPlan], concurrency: int = 100) -> Run:
    """A queued run of a new experiment on the version, the first arm its baseline. Replays what was recorded."""
    replays = version.recorded_by_id is not None
    seated = LanguageModel.objects.filter(provider=version.recorded_by_id) if replays else LanguageModel.objects.all()
    models = {model.name: model for model in seated}
    experiment = create_experiment(
        title=title,
        workflow=None,
        dataset_version=version,
        replies=Experiment.Replies.RECORDED if replays else Experiment.Replies.LIVE,
        arms=[_arm(title, arm, models, is_baseline=place == 0) for place, arm in enumerate(arms)],
        by=None,
        now=timezone.now(),
    )
    return start_run(
        experiment=experiment,
        concurrency=concurrency,
        cap_nanousd=None,
        reuse_replies=True,
        by=None,
        now=timezone.now(),
        wake=False,
    )


def _arm(title: str, arm: ArmPlan, models: Mapping[str, LanguageModel], *, is_baseline: bool) -> ArmSpec:
    spec = PanelSpec(
        strategy=StrategyName.MAJORITY,
        stages=tuple(
            StageSpec(
                members=tuple(
                    MemberSpec(model_id=models[name].pk, sampling=Sampling(max_tokens=256)) for name in names
                ),
                settles=arm.settles and place == len(arm.stages) - 1,
            )
            for place, names in enumerate(arm.stages)
        ),
        stop_at=arm.stop_at,
    )
    panel = create_panel(name=f"{title}, {arm.name}", description="", spec=spec, by=None, now=timezone.now())
    return ArmSpec(name=arm.name, panel_version=panel, is_baseline=is_baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """Seconds until the last answer was stored, until the result was there, and of processor time; rows stored."""

    stored_s: float
    finished_s: float
    cpu_s: float
    answers: int
    calls: int


def work_through(run: Run, *, calls: int | None = None) -> Worked:
    """Works on the run alone, here and now, as the command line does.

    Stops the bench if an answer is missing, a call has failed, or ``calls`` is told and not what is stored.
    """
    stored_at = 0.0

    def on_progress(progress: Progress) -> None:
        nonlocal stored_at
        stored_at = perf_counter()

    used, started = cpu_s(), perf_counter()
    work_run(run_id=run.pk, worker="bench", clients_for=clients_for, clock=timezone.now, on_progress=on_progress)
    finished = perf_counter()
    run.refresh_from_db()
    answers = run.answers.count()
    if run.state != Run.State.FINISHED or answers != run.answers_wanted:
        raise SystemExit(f"The run is {run.state} with {answers} of {run.answers_wanted} answers.")
    stored = Call.objects.filter(answer__run=run)
    stored_calls, failed = stored.count(), stored.exclude(outcome=Call.OK).count()
    if failed or stored_calls != (calls or stored_calls):
        raise SystemExit(f"{stored_calls} calls are stored, {calls} were wanted, {failed} have failed.")
    return Worked(
        stored_s=stored_at - started,
        finished_s=finished - started,
        cpu_s=cpu_s() - used,
        answers=answers,
        calls=stored_calls,
    )
