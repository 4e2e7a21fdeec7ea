"""Bringing datasets in: by upload, which a worker loads, or from files at hand, loaded while the caller waits."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.utils.text import slugify

from evaluation.execution.import_lease import ImportLease, Watcher
from evaluation.execution.imports import files_of, forget_import, run_import
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.columns import Role
from evaluation.intake.files import SourceFile
from evaluation.intake.preview import FilePreview, preview_file
from evaluation.intake.problems import Problem
from evaluation.models import Dataset, DatasetImport, DatasetVersion, Workflow
from evaluation.tasks import wake_import

# With "recorded-" before it and the version's number after it, the slug names a provider.
MAX_SLUG_CHARS = 60
# These words stand in addresses where a dataset's slug would.
_TAKEN_SLUGS = frozenset({"upload", "imports"})


class ImportRejected(Exception):
    """The files are not right; ``problems`` say what is wrong and what to do."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class NotADraft(Exception):
    """The import was started or discarded already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDataset:
    """A published version, and how it came about.

    ``kind_reason`` is why its answer kind was inferred, empty if it was told. ``reused``: the content was there.
    """

    version: DatasetVersion
    reused: bool
    kind_reason: str
    scorer_told: bool


def dataset_slug(name: str) -> str:
    """The slug of a dataset of this name, the same each time. A name without a Latin letter gets a hashed one."""
    slug = slugify(name)[:MAX_SLUG_CHARS].strip("-_")
    if not slug:
        return f"dataset-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"dataset-{slug}" if slug in _TAKEN_SLUGS else slug


def receive_upload(
    *,
    name: str,
    workflow: Workflow | None,
    uploads: Mapping[Role, File[bytes]],
    by: User | None,
    now: datetime,
) -> DatasetImport:
    """A draft whose files are kept until it ends. ``uploads`` has the items and may have the other files.

    Raises ImportRejected where no row at all can be read of a file; then nothing is kept.
    """
    folder = Path("imports") / uuid.uuid4().hex
    with transaction.atomic():
        dataset = _find_or_create_dataset(name=name, slug=dataset_slug(name), workflow=workflow, now=now)
        job = DatasetImport.objects.create(
            dataset=dataset, folder=str(folder), options={"files": {}}, created_at=now, created_by=by
        )
    # Outside any transaction: 200 MB take their time, and SQLite has one writer.
    _keep_files(Path(settings.DATA_DIR) / folder, uploads)
    job.options = {
        "files": {role.value: {"path": role.value, "name": _shown_name(upload)} for role, upload in uploads.items()},
    }
    job.bytes_total = sum(upload.size for upload in uploads.values())
    job.save(update_fields=["options", "bytes_total"])
    _require_rows(job)
    return job


def _require_rows(job: DatasetImport) -> None:
    unreadable = [preview for preview in previews_of(job) if not preview.rows]
    if unreadable:
        forget_import(job)
        raise ImportRejected(tuple(problem for preview in unreadable for problem in preview.problems))


def previews_of(job: DatasetImport) -> tuple[FilePreview, ...]:
    """The first rows of each file of a draft."""
    files = files_of(job)
    named = ((Role.ITEMS, files.items), (Role.RECORDED, files.recorded), (Role.MODELS, files.models))
    return tuple(preview_file(source, role) for role, source in named if source is not None)


def _keep_files(folder: Path, uploads: Mapping[Role, File[bytes]]) -> None:
    folder.mkdir(parents=True)
    for role, upload in uploads.items():
        with (folder / role.value).open("wb") as kept:
            for chunk in upload.chunks():
                kept.write(chunk)


def _shown_name(upload: File[bytes]) -> str:
    return Path(upload.name or "file").name[:200]


@transaction.atomic
def queue_import(
    *, job: DatasetImport, choices: ReadingChoices, mappings: Mapping[Role, Mapping[str, str]], now: datetime
) -> None:
    """Hands a draft to the workers. Raises NotADraft."""
    files = {
        role: facts | {"mapping": dict(mappings.get(Role(role), {}))} for role, facts in job.options["files"].items()
    }
    options = {"files": files, **_chosen(choices)}
    draft = DatasetImport.objects.filter(pk=job.pk, state=DatasetImport.State.DRAFT)
    if not draft.update(state=DatasetImport.State.QUEUED, options=options, heartbeat_at=now, phase="queued"):
        raise NotADraft(job.pk)
    transaction.on_commit(partial(wake_import, import_id=job.pk))


def discard_import(*, job: DatasetImport) -> None:
    """Removes a draft with its files. Raises NotADraft."""
    if job.state != DatasetImport.State.DRAFT:
        raise NotADraft(job.pk)
    forget_import(job)


def import_files(
    *,
    name: str,
    files: DatasetFiles,
    choices: ReadingChoices,
    by: User | None,
    clock: Callable[[], datetime],
    workflow: Workflow | None = None,
    slug: str = "",
    watch: Watcher | None = None,
) -> ImportedDataset:
    """Imports files where they lie and waits for the end. Raises ImportRejected; then nothing is left of it."""
    job, lease = _begin(name=name, slug=slug, files=files, choices=choices, workflow=workflow, by=by, clock=clock)
    lease.watch = watch
    run_import(lease)
    job.refresh_from_db()
    if job.version is None or job.state != DatasetImport.State.PUBLISHED:
        problems = tuple(Problem(**facts) for facts in job.problems)
        forget_import(job)
        raise ImportRejected(problems)
    return imported_dataset(job)


def _begin(
    *,
    name: str,
    slug: str,
    files: DatasetFiles,
    choices: ReadingChoices,
    workflow: Workflow | None,
    by: User | None,
    clock: Callable[[], datetime],
) -> tuple[DatasetImport, ImportLease]:
    """An import that runs from its first moment, so that no worker takes it."""
    now, token = clock(), uuid.uuid4()
    with transaction.atomic():
        dataset = _find_or_create_dataset(name=name, slug=slug or dataset_slug(name), workflow=workflow, now=now)
        job = DatasetImport.objects.create(
            dataset=dataset,
            state=DatasetImport.State.RUNNING,
            options=_options(files, choices),
            lease_token=token,
            heartbeat_at=now,
            created_at=now,
            created_by=by,
        )
    return job, ImportLease(import_id=job.pk, token=token, clock=clock)


def _options(files: DatasetFiles, choices: ReadingChoices) -> dict[str, Any]:
    named = {Role.ITEMS: files.items, Role.RECORDED: files.recorded, Role.MODELS: files.models}
    return {
        "files": {role.value: _file_facts(source) for role, source in named.items() if source is not None},
        **_chosen(choices),
    }


def _chosen(choices: ReadingChoices) -> dict[str, Any]:
    return {
        "kind": choices.kind.value if choices.kind else "",
        "scorer": choices.scorer or "",
        "tolerance": choices.tolerance,
    }


def _file_facts(source: SourceFile) -> dict[str, Any]:
    return {"path": str(source.path.resolve()), "name": source.name, "mapping": dict(source.mapping)}


def imported_dataset(job: DatasetImport) -> ImportedDataset:
    """What a published import brought."""
    outcome = job.options["outcome"]
    assert job.version is not None  # held by a constraint
    return ImportedDataset(
        version=job.version,
        reused=outcome["reused"],
        kind_reason=outcome["kind_reason"],
        scorer_told=outcome["scorer_told"],
    )


def _find_or_create_dataset(*, name: str, slug: str, workflow: Workflow | None, now: datetime) -> Dataset:
    dataset, created = Dataset.objects.get_or_create(
        slug=slug, defaults={"name": name[:120], "workflow": workflow, "created_at": now}
    )
    if workflow is not None and not created and dataset.workflow_id != workflow.pk:
        dataset.workflow = workflow
        dataset.save(update_fields=["workflow"])
    return dataset
