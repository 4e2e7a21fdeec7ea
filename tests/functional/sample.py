"""The sample pilot in every state a page can show: finished, running, paused, cancelled, failed, not begun."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.utils import timezone

from evaluation.execution.imports import load_import
from evaluation.execution.leases import claim_lease
from evaluation.execution.rollups import sweep_rollups
from evaluation.execution.work import work_run
from evaluation.intake.checking import ReadingChoices
from evaluation.intake.columns import Role
from evaluation.models import Answer, Dataset, DatasetImport, DatasetVersion, Experiment, Run
from evaluation.sample.pilot import SIMULATED, load_pilot, run_pilot
from evaluation.services.imports import queue_import, receive_upload
from evaluation.services.runs import cancel_run, pause_run, start_run
from panels.fusion.types import StrategyName
from panels.gateway import clients_for
from panels.models import LanguageModel, PanelVersion
from panels.services.panels import add_version, create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec, spec_of
from tests.factories import make_experiment, make_model, make_panel_version, make_provider
from tests.functional.service import MANAGER, Service

Row = Mapping[str, Any]
REPLAYED_ITEMS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the pages show. ``slow`` has a baseline and a panel whose models take their time."""

    finished: Run
    running: Run
    queued: Run
    paused: Run
    cancelled: Run
    replayed: Run
    answer: Answer
    disputed: Answer
    panel: PanelVersion
    model: LanguageModel
    draft: DatasetImport
    csv_draft: DatasetImport
    waiting: DatasetImport
    published: DatasetImport
    failed: DatasetImport
    recorded: Dataset
    slow: Experiment


def load_sample(*, service: Service) -> Sample:
    """In a worker's thread: it works on runs itself."""
    by = User.objects.get(username=MANAGER)
    sales, support, summary = load_pilot(simulator_url=service.fast.base_url, clock=timezone.now)
    [finished] = run_pilot([sales], clock=timezone.now)
    slow = _make_slow_experiment(service, support.dataset_version)
    published = load_files("Tickets, recorded", recorded_files(), by=by)
    sweep_rollups(now=timezone.now())
    assert published.version is not None, published.problems
    return Sample(
        finished=finished,
        running=_start_a_little(support, by, hold=True),
        queued=_start(summary, by),
        paused=pause_run(run=_start_a_little(summary, by), by=None, now=timezone.now()),
        cancelled=cancel_run(run=_start_a_little(summary, by), by=None, now=timezone.now()),
        replayed=_replay(published.version, by),
        answer=_answer(finished, stages_called=1),
        disputed=_answer(finished, stages_called=2),
        panel=_make_second_version(by),
        model=LanguageModel.objects.get(provider__slug=SIMULATED, name="sim-atlas-small"),
        draft=upload("Tickets, not yet imported", recorded_files(), by=by),
        csv_draft=upload("Questions from a table", {Role.ITEMS: ("questions.csv", _CSV)}, by=by),
        waiting=_queue(upload("Tickets, waiting", recorded_files(), by=by)),
        published=published,
        failed=load_files("Tickets with mistakes", broken_files(), by=by),
        recorded=published.dataset,
        slow=slow,
    )


def _start(experiment: Experiment, by: User) -> Run:
    return start_run(
        experiment=experiment, concurrency=8, cap_nanousd=500_000_000, reuse_replies=False, by=by, now=timezone.now()
    )


def _start_a_little(experiment: Experiment, by: User, *, hold: bool = False) -> Run:
    """A run whose worker went home after its first answers; ``hold``: another has just taken it up."""
    run, stop = _start(experiment, by), threading.Event()

    def clock_out(_: object) -> None:
        stop.set()

    work_run(
        run_id=run.pk, worker="early", clients_for=clients_for, clock=timezone.now, on_progress=clock_out, stop=stop
    )
    if hold:
        claim_lease(run_id=run.pk, wanted_slots=8, worker="late", now=timezone.now(), ttl=timedelta(hours=1))
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING
    return run


def _answer(run: Run, *, stages_called: int) -> Answer:
    found = Answer.objects.filter(run=run, stages_called=stages_called, arm__position=1).order_by("position").first()
    assert found is not None
    return found


def _make_second_version(by: User) -> PanelVersion:
    version = PanelVersion.objects.get(panel__name="Sales assistant: staged panel")
    spec = spec_of(version)
    stages = (StageSpec(members=spec.stages[0].members[1:] + spec.stages[1].members), *spec.stages[1:])
    return add_version(panel=version.panel, spec=replace(spec, stages=stages, stop_at=0.75), by=by, now=timezone.now())


def _make_slow_experiment(service: Service, version: DatasetVersion) -> Experiment:
    provider = make_provider(base_url=service.slow.base_url, name="Slow simulated models")
    models = [make_model(provider=provider, name=name) for name in ("sim-atlas-large", "sim-drift-mini")]
    return make_experiment([make_panel_version([[model]]) for model in models], version=version, title="Slow models")


def _replay(version: DatasetVersion, by: User) -> Run:
    """Three recorded models alone and together."""
    models = list(LanguageModel.objects.filter(provider=version.recorded_by_id).order_by("pk"))
    panels = [_panel_of([models[0]], by), _panel_of(models[1:], by)]
    experiment = make_experiment(
        panels, version=version, replies=Experiment.Replies.RECORDED, title="Recorded: three small models together"
    )
    run = start_run(
        experiment=experiment, concurrency=4, cap_nanousd=None, reuse_replies=True, by=by, now=timezone.now()
    )
    work_run(run_id=run.pk, worker="replay", clients_for=clients_for, clock=timezone.now)
    run.refresh_from_db()
    return run


def _panel_of(models: Iterable[LanguageModel], by: User) -> PanelVersion:
    seats = tuple(MemberSpec(model_id=model.pk) for model in models)
    spec = PanelSpec(strategy=StrategyName.MAJORITY, stages=(StageSpec(members=seats),))
    return create_panel(name=f"Recorded, {len(seats)}", description="", spec=spec, by=by, now=timezone.now())


# Files as a person has them

Files = Mapping[Role, tuple[str, bytes]]
QUEUES = ("billing", "delivery", "returns")
_RIGHT: Mapping[str, Callable[[int], bool]] = {
    "large-2025-01-15": lambda number: number % 10 < 7,
    "small-a": lambda number: number % 4 != 0,
    "small-b": lambda number: number % 3 != 0,
    "small-c": lambda number: number % 5 < 3,
}
PRICES = {"large-2025-01-15": (5.0, 15.0), "small-a": (0.15, 0.6), "small-b": (0.1, 0.4), "small-c": (0.2, 0.2)}


def is_right(model: str, number: int) -> bool:
    """Whether the recorded output of ``model`` for item ``number`` names the right queue."""
    return _RIGHT[model](number)


def _item(number: int) -> Row:
    text = f"Which queue gets ticket {number}: a customer writes about a matter of {QUEUES[number % 3]}?"
    return {"id": f"t-{number:03}", "prompt": text, "reference": QUEUES[number % 3], "choices": QUEUES}


def _output(model: str, number: int) -> Row:
    # Everybody who is wrong names the same wrong queue, so that two wrong ballots outvote a right one.
    said = QUEUES[(number + (not is_right(model, number))) % 3]
    tokens = {"prompt_tokens": 120 + number, "completion_tokens": 4}
    return {"item_id": f"t-{number:03}", "model": model, "text": said, "latency_s": 0.2 + number / 100, **tokens}


def as_jsonl(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def recorded_files(items: int = REPLAYED_ITEMS) -> Files:
    prices = [
        {"model": name, "price_in_per_mtok": in_, "price_out_per_mtok": out} for name, (in_, out) in PRICES.items()
    ]
    return {
        Role.ITEMS: ("tickets.jsonl", as_jsonl(map(_item, range(items)))),
        Role.RECORDED: ("outputs.jsonl", as_jsonl(_output(name, number) for name in PRICES for number in range(items))),
        Role.MODELS: ("models.json", json.dumps(prices).encode()),
    }


def broken_files() -> Files:
    """Three mistakes in the items, one in the outputs."""
    items = [dict(_item(number)) for number in range(6)]
    items[1]["id"] = "t-000"
    items[3]["prompt"] = ""
    items[4]["reference"] = "lost property"
    outputs = [_output("small-a", 0), {**_output("small-a", 2), "item_id": "t-999"}]
    return {Role.ITEMS: ("tickets.jsonl", as_jsonl(items)), Role.RECORDED: ("outputs.jsonl", as_jsonl(outputs))}


_SUMS = [f"q-{number},What is {number} plus {number}?,{2 * number},sums" for number in range(8)]
_CSV = "\n".join(["number,question,answer,topic", *_SUMS]).encode()


def upload(name: str, files: Files, *, by: User) -> DatasetImport:
    uploads = {role: File(BytesIO(content), name=file) for role, (file, content) in files.items()}
    for upload in uploads.values():
        upload.size = len(files[next(role for role, one in uploads.items() if one is upload)][1])
    return receive_upload(name=name, workflow=None, uploads=uploads, by=by, now=timezone.now())


def _queue(job: DatasetImport) -> DatasetImport:
    queue_import(job=job, choices=ReadingChoices(), mappings={}, now=timezone.now())
    job.refresh_from_db()
    return job


def load_files(name: str, files: Files, *, by: User) -> DatasetImport:
    """An import brought to its end."""
    job = _queue(upload(name, files, by=by))
    load_import(import_id=job.pk, clock=timezone.now)
    return DatasetImport.objects.select_related("dataset", "version").get(pk=job.pk)
