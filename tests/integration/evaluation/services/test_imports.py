from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evaluation.execution import dataset_rows, imports
from evaluation.execution.import_lease import ImportProgress
from evaluation.execution.imports import load_import
from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.columns import Role
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
from panels.models import AuditEntry, LanguageModel, Provider
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
def test_a_version_is_recorded_once_it_is_published(files):
    version = bring_in(files).version
    bring_in(files)
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.subject, entry.actor) == ("dataset.published", "dataset:quiz@1", None)
    assert entry.detail == {"content_hash": version.content_hash, "examples": 5}


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
