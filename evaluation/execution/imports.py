"""What a worker does with an import: check the files, load an invisible version, publish it with one update."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from evaluation.execution.dataset_rows import create_version, load_examples, load_outputs, remove_version
from evaluation.execution.import_lease import HEARTBEAT_TTL, ImportLease, LostImport, claim_import
from evaluation.intake.checking import (
    CheckedDataset,
    DatasetFiles,
    ReadingChoices,
    check_dataset,
    dataset_items,
    dataset_outputs,
)
from evaluation.intake.content import ContentHash
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.items import ItemIndex
from evaluation.intake.limits import DEFAULT_LIMITS
from evaluation.intake.problems import Problem, ProblemList
from evaluation.models import Dataset, DatasetImport, DatasetVersion
from panels.fusion.types import AnswerKind
from panels.models import LanguageModel
from panels.services.audit import record_audit

DRAFT_TTL = timedelta(hours=24)
_WAKE_AGAIN = timedelta(seconds=30)
_log = structlog.get_logger(__name__)


class ChangedFile(Exception):
    """The second reading of a file found something else than the first."""


def load_import(*, import_id: int, clock: Callable[[], datetime]) -> None:
    """Loads a queued import, unless another worker has it. What is wrong with its files ends up in its problems."""
    lease = claim_import(import_id=import_id, clock=clock)
    if lease is not None:
        run_import(lease)


def run_import(lease: ImportLease) -> None:
    """Loads the import of a lease to its end, published or failed; whatever else happens fails it and is raised."""
    try:
        _load(lease)
    except LostImport:
        _log.warning("import lost", import_id=lease.import_id)
    except ChangedFile:
        _fail(lease, [_whole("a file changed while it was read; import it again")])
    except BaseException as error:
        _fail(lease, [_whole(f"the import was stopped ({type(error).__name__}); nothing was kept, import it again")])
        raise


def _whole(message: str) -> Problem:
    return Problem(file="import", line=0, field="", message=message)


def _load(lease: ImportLease) -> None:
    job = DatasetImport.objects.select_related("dataset").get(pk=lease.import_id)
    files = files_of(job)
    lease.bytes_total = _bytes_to_read(files)
    job.options["started_at"] = lease.clock().isoformat()
    lease.beat(bytes_total=lease.bytes_total, options=job.options)
    intake = _intake(lease)
    checked = check_dataset(files, _choices_of(job), intake)
    if checked is None:
        _fail(lease, intake.problems)
        return
    version = _same_content(job.dataset, checked) or _load_version(lease, job, files, checked)
    _publish(lease, job, version, checked)


def _intake(lease: ImportLease) -> Intake:
    return Intake(limits=DEFAULT_LIMITS, problems=ProblemList(DEFAULT_LIMITS.problems), on_bytes=lease.count_bytes)


def _same_content(dataset: Dataset, checked: CheckedDataset) -> DatasetVersion | None:
    return dataset.versions.published().filter(content_hash=checked.content_hash).order_by("number").first()


def _load_version(
    lease: ImportLease, job: DatasetImport, files: DatasetFiles, checked: CheckedDataset
) -> DatasetVersion:
    lease.enter("loading")
    version = create_version(lease, dataset=job.dataset, checked=checked, by_id=job.created_by_id)
    intake, content, index = _intake(lease), ContentHash(), ItemIndex()
    items = dataset_items(files, checked.kind, intake, index)
    examples = load_examples(lease, version, items, content)
    load_outputs(lease, version, dataset_outputs(files, checked.kind, intake, index), examples, content)
    read = content.finish(models=checked.models, kind=checked.kind, scorer=checked.scorer, tolerance=checked.tolerance)
    if read != checked.content_hash:
        raise ChangedFile
    return version


def _publish(lease: ImportLease, job: DatasetImport, version: DatasetVersion, checked: CheckedDataset) -> None:
    """Makes the version visible and ends the import, or reuses what was published meanwhile with the same content."""
    now = lease.clock()
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=job.dataset_id)
        shown = _same_content(job.dataset, checked) or version
        if shown.published_at is None:
            DatasetVersion.objects.filter(pk=version.pk).update(published_at=now)
            models = LanguageModel.objects.filter(provider=version.recorded_by_id)
            models.update(status=LanguageModel.Status.APPROVED, retired_at=None)
        outcome = {
            "kind": checked.kind.value,
            "kind_reason": checked.kind_reason,
            "scorer": checked.scorer,
            "scorer_told": checked.scorer_told,
            "reused": shown.published_at is not None,
        }
        lease.beat(
            state=DatasetImport.State.PUBLISHED,
            version=shown,
            ended_at=now,
            options=job.options | {"outcome": outcome},
        )
        if not outcome["reused"]:
            _record(job, shown, now)
    lease.tell()
    if shown.pk != version.pk:
        remove_version(version.pk)
    remove_files(lease.import_id)


def _record(job: DatasetImport, version: DatasetVersion, now: datetime) -> None:
    record_audit(
        action="dataset.published",
        actor=job.created_by,
        subject=f"dataset:{job.dataset.slug}@{version.number}",
        label=job.dataset.name,
        detail={"content_hash": version.content_hash, "examples": version.example_count},
        now=now,
    )


def _fail(lease: ImportLease, problems: Iterable[Problem]) -> None:
    """Ends the import. Its version goes afterwards; whoever is stopped in between leaves the rest to the sweep."""
    held = DatasetImport.objects.filter(pk=lease.import_id, state=DatasetImport.State.RUNNING, lease_token=lease.token)
    ended = held.update(
        state=DatasetImport.State.FAILED,
        ended_at=lease.clock(),
        problems=[problem.as_json() for problem in problems],
    )
    if ended:
        _clear(lease.import_id)


def _clear(import_id: int) -> None:
    version_id = DatasetImport.objects.values_list("version", flat=True).get(pk=import_id)
    if version_id is not None:
        remove_version(version_id)
    remove_files(import_id)


# Files


def imports_folder() -> Path:
    return Path(settings.DATA_DIR) / "imports"


def remove_files(import_id: int) -> None:
    """Removes the uploaded files. Files that were only read where they lie have no folder and stay."""
    job = DatasetImport.objects.only("folder").get(pk=import_id)
    if job.folder:
        shutil.rmtree(Path(settings.DATA_DIR) / job.folder, ignore_errors=True)
        DatasetImport.objects.filter(pk=import_id).update(folder="")


def files_of(job: DatasetImport) -> DatasetFiles:
    """The import's files. An absolute path stands for itself, any other is in the import's folder."""
    folder = Path(settings.DATA_DIR) / job.folder
    sources = {role: _source(folder, facts) for role, facts in job.options["files"].items()}
    return DatasetFiles(items=sources["items"], recorded=sources.get("recorded"), models=sources.get("models"))


def _source(folder: Path, facts: dict[str, Any]) -> SourceFile:
    return SourceFile(path=folder / facts["path"], name=facts["name"], mapping=facts.get("mapping") or {})


def _choices_of(job: DatasetImport) -> ReadingChoices:
    kind = job.options.get("kind")
    return ReadingChoices(
        kind=AnswerKind(kind) if kind else None,
        scorer=job.options.get("scorer") or None,
        tolerance=job.options.get("tolerance", 1e-6),
    )


def _bytes_to_read(files: DatasetFiles) -> int:
    """Items and outputs are read twice, prices once. A file that is missing is the reader's to report."""
    sources = [files.items, files.items, files.recorded, files.recorded, files.models]
    return sum(source.path.stat().st_size for source in sources if source is not None and source.path.is_file())


# Sweeping


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSweep:
    """What a sweep did: imports failed because their worker died, and queued ones that nobody took yet."""

    failed: tuple[int, ...]
    waiting: tuple[int, ...]


def sweep_imports(now: datetime) -> ImportSweep:
    """Ends imports without a sign of life, takes away what ended ones left, and finds those still waiting."""
    stale = DatasetImport.objects.filter(state=DatasetImport.State.RUNNING, heartbeat_at__lt=now - HEARTBEAT_TTL)
    failed = tuple(pk for pk in stale.values_list("pk", flat=True) if _fail_stale(pk, now))
    _clear_ended(now)
    _forget_drafts(now)
    return ImportSweep(failed=failed, waiting=tuple(_waiting(now)))


def _fail_stale(import_id: int, now: datetime) -> bool:
    problem = _whole("the worker stopped before the end; nothing was kept, import the files again")
    stale = DatasetImport.objects.filter(
        pk=import_id, state=DatasetImport.State.RUNNING, heartbeat_at__lt=now - HEARTBEAT_TTL
    )
    return bool(stale.update(state=DatasetImport.State.FAILED, ended_at=now, problems=[problem.as_json()]))


def _clear_ended(now: datetime) -> None:
    ended = DatasetImport.objects.filter(state__in=[DatasetImport.State.FAILED, DatasetImport.State.PUBLISHED])
    leftovers = ended.exclude(folder="") | ended.filter(state=DatasetImport.State.FAILED, version__isnull=False)
    for import_id in leftovers.values_list("pk", flat=True):
        _clear(import_id)
    orphans = DatasetVersion.objects.filter(published_at=None, imports=None, created_at__lt=now - HEARTBEAT_TTL)
    for version_id in orphans.values_list("pk", flat=True):
        remove_version(version_id)


def _forget_drafts(now: datetime) -> None:
    drafts = DatasetImport.objects.filter(state=DatasetImport.State.DRAFT, created_at__lt=now - DRAFT_TTL)
    for job in drafts:
        forget_import(job)


def forget_import(job: DatasetImport) -> None:
    """Removes an import that came to nothing, its files, and its dataset if nothing else is in it."""
    remove_files(job.pk)
    with transaction.atomic():
        job.delete()
        Dataset.objects.filter(pk=job.dataset_id, versions=None, imports=None).delete()


def _waiting(now: datetime) -> Iterable[int]:
    """Queued imports whose message may be lost; each is named again only after a while."""
    late = DatasetImport.objects.filter(state=DatasetImport.State.QUEUED, heartbeat_at__lt=now - _WAKE_AGAIN)
    for import_id in late.values_list("pk", flat=True):
        if late.filter(pk=import_id).update(heartbeat_at=now):
            yield import_id
