from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evaluation.execution import dataset_rows, imports
from evaluation.execution.import_lease import ImportProgress, LostImport, claim_import
from evaluation.execution.imports import load_import, run_import, sweep_imports
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.columns import Role
from evaluation.intake.files import SourceFile
from evaluation.models import Dataset, DatasetImport, DatasetVersion, Example, RecordedOutput, Workflow
from evaluation.services.imports import (
    ImportRejected,
    NotADraft,
    dataset_slug,
    discard_import,
    import_files,
    queue_import,
    receive_upload,
)
from panels.fusion.types import AnswerKind
from panels.models import LanguageModel, Provider

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ITEMS = [
    {"id": f"i{number}", "prompt": f"Question {number}?", "reference": "B", "choices": ["A", "B"]}
    for number in range(5)
]
OUTPUTS = [
    {"item_id": f"i{number}", "model": model, "text": "B", "predicted": "B", "correct": True, "prompt_tokens": 7}
    for number in range(5)
    for model in ("small", "large")
]
PRICES = [{"model": "small", "price_in_per_mtok": 0.1, "price_out_per_mtok": 0.4, "price_source": "a list"}]


def now() -> datetime:
    return NOW


def lines_of(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def files(tmp_path: Path) -> DatasetFiles:
    (tmp_path / "items.jsonl").write_bytes(lines_of(ITEMS))
    (tmp_path / "outputs.jsonl").write_bytes(lines_of(OUTPUTS))
    (tmp_path / "models.json").write_bytes(json.dumps(PRICES).encode())

    def file(name):
        return SourceFile(path=tmp_path / name, name=name)

    return DatasetFiles(items=file("items.jsonl"), recorded=file("outputs.jsonl"), models=file("models.json"))


def bring_in(files: DatasetFiles, *, name: str = "Quiz", **wanted):
    return import_files(name=name, files=files, choices=ReadingChoices(**wanted), by=None, clock=now)


def upload(**contents: bytes) -> DatasetImport:
    uploads = {Role(role): SimpleUploadedFile(f"{role}.jsonl", content) for role, content in contents.items()}
    return receive_upload(name="Quiz", workflow=None, uploads=uploads, by=None, now=NOW)


def queued(**contents: bytes) -> DatasetImport:
    job = upload(**contents)
    queue_import(job=job, choices=ReadingChoices(), mappings={}, now=NOW)
    return job


def folder_of(job: DatasetImport, settings) -> Path:
    return Path(settings.DATA_DIR) / job.folder


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(dataset_rows, "ROWS_AT_ONCE", 2)


# Files at hand


@pytest.mark.django_db
def test_an_import_publishes_a_version_with_its_rows_and_models(files):
    imported = bring_in(files)

    version = imported.version
    assert (version.number, version.answer_kind, version.scorer) == (1, "choice", "exact")
    assert (version.example_count, version.output_count, version.published_at) == (5, 10, NOW)
    assert [example.item_id for example in version.examples.order_by("position")] == ["i0", "i1", "i2", "i3", "i4"]
    example = version.examples.get(position=2)
    assert (example.title, example.messages[0].content, example.choices) == ("Question 2?", "Question 2?", ["A", "B"])
    output = example.recorded_outputs.get(model__name="small")
    assert (output.text, output.has_predicted, output.predicted, output.correct) == ("B", True, "B", True)
    assert (output.prompt_tokens, output.completion_tokens, output.latency_s) == (7, None, None)


@pytest.mark.django_db
def test_models_belong_to_a_recorded_provider_and_carry_their_prices(files):
    version = bring_in(files).version

    provider = version.recorded_by
    assert (provider.slug, provider.name, provider.kind) == ("recorded-quiz-v1", "Quiz, recorded", "recorded")
    small, large = (provider.language_models.get(name=name) for name in ("small", "large"))
    assert (small.price_in_nanousd_per_mtok, small.price_out_nanousd_per_mtok) == (100_000_000, 400_000_000)
    assert (small.price_source, small.retired_at) == ("a list", None)
    assert (large.price_in_nanousd_per_mtok, large.price_out_nanousd_per_mtok) == (None, None)


@pytest.mark.django_db
def test_the_same_content_is_not_imported_twice(files):
    first, second = bring_in(files), bring_in(files)

    assert (first.reused, second.reused) == (False, True)
    assert first.version == second.version
    assert Example.objects.count() == 5
    assert DatasetImport.objects.filter(state="published").count() == 2


@pytest.mark.django_db
def test_other_choices_make_another_version(files):
    bring_in(files)
    second = bring_in(files, kind=AnswerKind.LABEL)

    assert (second.reused, second.version.number, second.kind_reason) == (False, 2, "")
    assert second.version.recorded_by.slug == "recorded-quiz-v2"


@pytest.mark.django_db
def test_the_same_content_in_another_dataset_is_its_own(files):
    bring_in(files)

    assert not bring_in(files, name="Other").reused


@pytest.mark.django_db
def test_a_rejected_import_leaves_nothing(files):
    files.recorded.path.write_bytes(lines_of([*OUTPUTS, OUTPUTS[0]]))
    with pytest.raises(ImportRejected) as rejected:
        bring_in(files)

    assert [(one.file, one.line, one.field) for one in rejected.value.problems] == [("outputs.jsonl", 11, "model")]
    for model in (Dataset, DatasetVersion, DatasetImport, Example, RecordedOutput, Provider, LanguageModel):
        assert not model.objects.exists()
    assert files.items.path.exists()


@pytest.mark.django_db
def test_a_rejected_version_leaves_the_others(files):
    bring_in(files)
    files.items.path.write_bytes(b"{")
    with pytest.raises(ImportRejected):
        bring_in(files)

    assert DatasetVersion.objects.get().example_count == 5


@pytest.mark.django_db
def test_a_file_that_changes_between_its_readings_is_not_published(files, monkeypatch):
    create = dataset_rows.create_version

    def change_and_create(*args, **kwargs):
        files.recorded.path.write_bytes(lines_of([row | {"text": "A"} for row in OUTPUTS]))
        return create(*args, **kwargs)

    monkeypatch.setattr(imports, "create_version", change_and_create)
    with pytest.raises(ImportRejected, match="a file changed while it was read"):
        bring_in(files)

    assert not Example.objects.exists()


@pytest.mark.django_db
def test_a_dataset_joins_the_workflow_that_is_named(files):
    workflow = Workflow.objects.create(slug="support", name="Support", created_at=NOW)
    import_files(name="Quiz", files=files, choices=ReadingChoices(), workflow=workflow, by=None, clock=now)
    bring_in(files)

    assert Dataset.objects.get().workflow == workflow


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My Set!", "my-set"), ("upload", "dataset-upload"), ("x" * 100, "x" * 60), ("数据", "dataset-10bf7f10")],
)
def test_a_slug_is_made_of_the_name(name, slug):
    assert dataset_slug(name) == (slug if name != "数据" else dataset_slug("数据"))
    assert len(dataset_slug(name)) <= 60


@pytest.mark.django_db
def test_progress_is_told(files):
    seen: list[ImportProgress] = []
    import_files(name="Quiz", files=files, choices=ReadingChoices(), by=None, clock=now, watch=seen.append)

    last = seen[-1]
    assert seen[0].phase == "loading"
    assert (last.rows_done, last.bytes_done) == (15, last.bytes_total)


# Uploads


@pytest.mark.django_db
def test_an_upload_waits_as_a_draft_until_it_is_queued(settings, django_capture_on_commit_callbacks, monkeypatch):
    woken = []
    monkeypatch.setattr("evaluation.services.imports.wake_import", lambda *, import_id: woken.append(import_id))
    job = upload(items=lines_of(ITEMS), recorded=lines_of(OUTPUTS))
    assert (job.state, job.options["files"]["recorded"]["name"]) == ("draft", "recorded.jsonl")
    load_import(import_id=job.pk, clock=now)
    assert not DatasetVersion.objects.exists()

    with django_capture_on_commit_callbacks(execute=True):
        queue_import(job=job, choices=ReadingChoices(kind=AnswerKind.LABEL), mappings={}, now=NOW)
    assert woken == [job.pk]
    load_import(import_id=job.pk, clock=now)

    spooled = folder_of(job, settings)
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.folder) == ("published", 15, "")
    assert DatasetVersion.objects.get(imports=job).answer_kind == "label"
    assert not spooled.exists()


@pytest.mark.django_db
def test_a_draft_is_queued_once():
    job = queued(items=lines_of(ITEMS))
    with pytest.raises(NotADraft):
        queue_import(job=job, choices=ReadingChoices(), mappings={}, now=NOW)


@pytest.mark.django_db
def test_a_draft_can_be_discarded(settings):
    job = upload(items=lines_of(ITEMS))
    spooled = folder_of(job, settings)
    assert spooled.exists()
    discard_import(job=job)

    assert not spooled.exists()
    assert not Dataset.objects.exists()


@pytest.mark.django_db
def test_an_import_that_runs_cannot_be_discarded():
    job = queued(items=lines_of(ITEMS))
    job.refresh_from_db()
    with pytest.raises(NotADraft):
        discard_import(job=job)


@pytest.mark.django_db
def test_a_failed_upload_lists_its_problems_and_drops_its_files(settings):
    job = queued(items=b'{"id": "a"}\n')
    spooled = folder_of(job, settings)
    load_import(import_id=job.pk, clock=now)

    job.refresh_from_db()
    assert (job.state, job.ended_at, job.version) == ("failed", NOW, None)
    assert [(one["file"], one["line"], one["field"]) for one in job.problems] == [("items.jsonl", 1, "prompt")]
    assert not spooled.exists()


@pytest.mark.django_db
def test_a_column_mapping_is_used():
    uploads = {Role.ITEMS: SimpleUploadedFile("quiz.csv", b"number;words;truth\n1;Why?;because\n")}
    job = receive_upload(name="Quiz", workflow=None, uploads=uploads, by=None, now=NOW)
    mapping = {"id": "number", "prompt": "words", "reference": "truth"}
    queue_import(job=job, choices=ReadingChoices(), mappings={Role.ITEMS: mapping}, now=NOW)
    load_import(import_id=job.pk, clock=now)

    example = Example.objects.get()
    assert (example.item_id, example.title, example.reference) == ("1", "Why?", "because")


# Workers that meet, and workers that die


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
