"""Workers that meet over an import, and workers that die in one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.execution import dataset_rows, imports
from evaluation.execution.import_lease import LostImport, claim_import
from evaluation.execution.imports import load_import, run_import, sweep_imports
from evaluation.intake.checking import DatasetFiles
from evaluation.models import Dataset, DatasetVersion, Example, RecordedOutput
from panels.models import LanguageModel, Provider
from tests.integration.evaluation.import_jobs import (
    ITEMS,
    NOW,
    OUTPUTS,
    bring_in,
    folder_of,
    lines_of,
    now,
    queued,
    upload,
    write_files,
)


@pytest.fixture
def files(tmp_path: Path) -> DatasetFiles:
    return write_files(tmp_path)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(dataset_rows, "ROWS_AT_ONCE", 2)


@pytest.mark.django_db
def test_two_workers_claim_one_import_and_one_loads():
    job = queued(items=lines_of(ITEMS))

    first = claim_import(import_id=job.pk, clock=now)
    assert claim_import(import_id=job.pk, clock=now) is None
    load_import(import_id=job.pk, clock=now)
    assert not DatasetVersion.objects.exists()
    assert first is not None
    run_import(first)
    assert DatasetVersion.objects.published().count() == 1


class Killed(BaseException):
    """The process is gone: nothing after this line runs."""


def kill_while_loading(monkeypatch, job, *, after: int):
    """Loads until ``after`` batches are in, then stops as a killed process does."""
    write = dataset_rows._write_batch
    seen: list[object] = []

    def write_or_die(*args):
        if len(seen) == after:
            raise Killed
        seen.append(args)
        write(*args)

    with monkeypatch.context() as patched:
        patched.setattr(dataset_rows, "_write_batch", write_or_die)
        patched.setattr(imports, "_fail", lambda *args: None)
        with pytest.raises(Killed):
            load_import(import_id=job.pk, clock=now)


@pytest.mark.django_db
@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_killed_import_is_invisible_and_swept(settings, monkeypatch, small_batches, after):
    job = queued(items=lines_of(ITEMS), recorded=lines_of(OUTPUTS))
    spooled = folder_of(job, settings)
    kill_while_loading(monkeypatch, job, after=after)
    assert Example.objects.count() == min(5, after * 2)
    assert not DatasetVersion.objects.published().exists()
    assert not LanguageModel.objects.available().exists()

    assert sweep_imports(NOW + timedelta(seconds=59)).failed == ()
    assert DatasetVersion.objects.exists()
    assert sweep_imports(NOW + timedelta(seconds=61)).failed == (job.pk,)

    for model in (DatasetVersion, Example, RecordedOutput, Provider, LanguageModel):
        assert not model.objects.exists()
    job.refresh_from_db()
    assert job.state == "failed"
    assert "the worker stopped before the end" in job.problems[0]["message"]
    assert not spooled.exists()


@pytest.mark.django_db
def test_a_sweep_that_was_stopped_is_finished_by_the_next(monkeypatch, small_batches):
    job = queued(items=lines_of(ITEMS))
    kill_while_loading(monkeypatch, job, after=2)
    with monkeypatch.context() as patched:
        patched.setattr(imports, "_clear", lambda import_id: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            sweep_imports(NOW + timedelta(seconds=61))
    assert Example.objects.exists()

    sweep_imports(NOW + timedelta(seconds=90))
    assert not Example.objects.exists()


@pytest.mark.django_db
def test_a_worker_that_was_swept_writes_nothing_more(monkeypatch, small_batches):
    job = queued(items=lines_of(ITEMS), recorded=lines_of(OUTPUTS))
    write = dataset_rows._write_batch
    seen: list[object] = []

    def write_late(*args):
        seen.append(args)
        if len(seen) == 2:
            sweep_imports(NOW + timedelta(seconds=61))
        write(*args)

    monkeypatch.setattr(dataset_rows, "_write_batch", write_late)
    load_import(import_id=job.pk, clock=now)

    assert len(seen) == 2
    assert not Example.objects.exists()
    job.refresh_from_db()
    assert job.state == "failed"


@pytest.mark.django_db
def test_a_lease_that_was_lost_cannot_publish(files):
    job = queued(items=lines_of(ITEMS))
    lease = claim_import(import_id=job.pk, clock=now)
    assert lease is not None
    sweep_imports(NOW + timedelta(seconds=61))
    with pytest.raises(LostImport):
        lease.beat()
    run_import(lease)

    assert not DatasetVersion.objects.exists()


@pytest.mark.django_db
def test_an_unexpected_error_fails_the_import_and_is_raised(monkeypatch):
    job = queued(items=lines_of(ITEMS))
    monkeypatch.setattr(imports, "_publish", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load_import(import_id=job.pk, clock=now)

    job.refresh_from_db()
    assert (job.state, job.version) == ("failed", None)
    assert not Example.objects.exists()


@pytest.mark.django_db
def test_a_queued_import_whose_message_was_lost_is_named_again_but_not_at_once():
    job = queued(items=lines_of(ITEMS))

    assert sweep_imports(NOW + timedelta(seconds=20)).waiting == ()
    assert sweep_imports(NOW + timedelta(seconds=40)).waiting == (job.pk,)
    assert sweep_imports(NOW + timedelta(seconds=60)).waiting == ()


@pytest.mark.django_db
def test_an_old_draft_is_forgotten(settings):
    job = upload(items=lines_of(ITEMS))
    spooled = folder_of(job, settings)
    sweep_imports(NOW + timedelta(hours=23))
    assert spooled.exists()
    sweep_imports(NOW + timedelta(hours=25))

    assert not spooled.exists()
    assert not Dataset.objects.exists()


@pytest.mark.django_db
def test_a_published_version_survives_every_sweep(files):
    bring_in(files)
    sweep_imports(NOW + timedelta(days=9))

    assert RecordedOutput.objects.count() == 10
    assert files.items.path.exists()


@pytest.mark.django_db
def test_two_imports_of_one_content_at_once_end_with_one_version(monkeypatch):
    job = queued(items=lines_of(ITEMS))
    other = queued(items=lines_of(ITEMS))
    load = imports._load_version
    passed: list[bool] = []

    def meet(*args):
        version = load(*args)
        if not passed:
            passed.append(True)
            load_import(import_id=other.pk, clock=now)
        return version

    monkeypatch.setattr(imports, "_load_version", meet)
    load_import(import_id=job.pk, clock=now)

    assert Example.objects.count() == 5
    job.refresh_from_db()
    other.refresh_from_db()
    assert job.version == other.version
    assert (job.options["outcome"]["reused"], other.options["outcome"]["reused"]) == (True, False)
