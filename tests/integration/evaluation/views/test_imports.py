from __future__ import annotations

import gzip
import json

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from evaluation.execution.imports import load_import
from evaluation.models import Dataset, DatasetImport, DatasetVersion, Example
from tests.factories import make_workflow

UPLOAD = "/datasets/upload/"
ITEM = {"id": "a", "prompt": "Which one?", "reference": "B", "choices": ["A", "B"]}


def htmx(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": target}


@pytest.fixture
def editor(db, client):
    user = User.objects.create_user("mara")
    user.groups.add(Group.objects.get(name="product manager"))
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    """The imports that workers were told of; no broker takes part."""
    told: list[int] = []
    monkeypatch.setattr("evaluation.services.imports.wake_import", lambda *, import_id: told.append(import_id))
    return told


def become_reader(client):
    user = User.objects.create_user("vito")
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)


def text_of(response) -> str:
    return response.content.decode()


def file(content: bytes | str, name: str = "items.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content if isinstance(content, bytes) else content.encode())


def items(*rows: object) -> SimpleUploadedFile:
    return file("".join(json.dumps(row) + "\n" for row in (rows or (ITEM,))))


def draft(client, **files) -> DatasetImport:
    response = client.post(UPLOAD, {"name": "Quiz", **({"items": items()} | files)})
    assert response.status_code == 302, text_of(response)
    job = DatasetImport.objects.latest("pk")
    assert response["Location"] == f"/datasets/imports/{job.pk}/"
    return job


def page_of(client, job: DatasetImport) -> str:
    return text_of(client.get(f"/datasets/imports/{job.pk}/"))


def start(client, job: DatasetImport, **fields):
    return client.post(f"/datasets/imports/{job.pk}/", {"kind": "", "scorer": "", "tolerance": "1e-6", **fields})


def test_the_upload_page_names_who_can(client, db):
    become_reader(client)
    page = text_of(client.get(UPLOAD))

    assert "Product managers can import datasets." in page
    assert 'type="file"' not in page
    assert client.post(UPLOAD, {"name": "Quiz", "items": items()}).status_code == 403
    assert not Dataset.objects.exists()


def test_an_upload_is_a_draft_that_shows_its_first_rows(editor):
    job = draft(editor, items=items(*({**ITEM, "id": f"item-{number}"} for number in range(9))))
    page = page_of(editor, job)

    assert job.state == "draft"
    assert "item-4" in page
    assert "item-5" not in page
    assert "First 5 rows" in page
    assert not DatasetVersion.objects.exists()


def test_a_packed_csv_is_shown_by_column_and_mapped(editor, woken, django_capture_on_commit_callbacks):
    job = draft(editor, items=file(gzip.compress(b"Question;number;answer\nWhy?;1;because\n"), "quiz.csv.gz"))
    page = page_of(editor, job)
    assert "Columns of quiz.csv.gz" in page
    assert '<option value="Question" selected>' in page

    refused = start(editor, job, **{"items-prompt": "Question"})
    assert refused.status_code == 422
    assert "Choose the column that holds the id." in text_of(refused)
    with django_capture_on_commit_callbacks(execute=True):
        accepted = start(editor, job, **{"items-prompt": "Question", "items-id": "number", "items-reference": "answer"})
    assert accepted.status_code == 302
    assert woken == [job.pk]

    load_import(import_id=job.pk, clock=timezone.now)
    example = Example.objects.get()
    assert (example.item_id, example.title, example.reference) == ("1", "Why?", "because")


def test_tests_of_promptfoo_need_no_column_for_the_id(editor):
    job = draft(editor, items=file("topic,__expected\nFrance,Paris\n", "tests.csv"))

    assert start(editor, job, **{"items-prompt": "topic"}).status_code == 302
    load_import(import_id=job.pk, clock=timezone.now)
    assert Example.objects.get().reference == "Paris"


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "items.jsonl", "the file is empty"),
        (b"{broken", "items.jsonl", "items.jsonl:1: this is not JSON"),
        (b"PK\x03\x04", "items.xlsx", "zip archive or a spreadsheet"),
        ("é".encode("latin-1"), "items.csv", "is not UTF-8"),
        (b"\x1f\x8b broken", "items.jsonl.gz", "damaged or cut off"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_at_once_in_the_same_form(editor, data_folder, content, name, words):
    sent = {"name": "Quiz", "items": file(content, name)}
    response = editor.post(UPLOAD, sent, headers=htmx("upload"))
    page = text_of(response)

    assert response.status_code == 422
    assert page.strip().startswith('<form class="form" id="upload"')
    assert words in page
    assert 'value="Quiz"' in page
    assert not Dataset.objects.exists()
    assert not DatasetImport.objects.exists()
    assert not any(data_folder.glob("imports/*"))


def test_a_missing_name_or_file_is_refused(editor):
    response = editor.post(UPLOAD, {"name": ""})

    assert response.status_code == 422
    assert text_of(response).count("This field is required.") == 2


def test_a_file_over_the_limit_is_refused(editor, settings):
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    response = editor.post(UPLOAD, {"name": "Quiz", "items": items(), "recorded": file(b"x" * 1024 * 1025, "o.jsonl")})

    assert response.status_code == 422
    assert "o.jsonl is larger than 1 MB. Pack it with gzip or split it." in text_of(response)


def test_an_upload_may_join_a_workflow(editor):
    workflow = make_workflow(slug="support")
    editor.post(UPLOAD, {"name": "Quiz", "items": items(), "workflow": "support"})

    assert Dataset.objects.get().workflow == workflow
    assert 'value="support" selected' in text_of(editor.get(UPLOAD, {"workflow": "support"}))


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "much", ""])
def test_a_tolerance_that_is_none_is_refused_in_the_same_fragment(editor, tolerance):
    job = draft(editor)
    response = editor.post(
        f"/datasets/imports/{job.pk}/", {"kind": "", "scorer": "", "tolerance": tolerance}, headers=htmx("job")
    )

    assert response.status_code == 422
    assert text_of(response).strip().startswith('<section id="job"')
    job.refresh_from_db()
    assert job.state == "draft"


def test_the_import_is_followed_to_its_end(editor):
    job = draft(editor)
    started = start(editor, job, kind="label", scorer="exact")
    assert started["Location"] == f"/datasets/imports/{job.pk}/"

    waiting = page_of(editor, job)
    assert "Waiting for a worker" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    DatasetImport.objects.filter(pk=job.pk).update(
        state="running",
        phase="loading",
        rows_done=1_500,
        bytes_done=500_000,
        bytes_total=2_000_000,
        lease_token="7b0f2f7e-6a0c-4a1c-9f0e-0d8c4f3f2a11",
    )
    running = page_of(editor, job)
    assert "Loading rows" in running
    assert "500" in running
    assert "2,000 kB read" in running
    DatasetImport.objects.filter(pk=job.pk).update(state="queued")

    load_import(import_id=job.pk, clock=timezone.now)
    done = text_of(editor.get(f"/datasets/imports/{job.pk}/", headers=htmx("job")))
    assert "v1 is published." in done
    assert "/datasets/quiz/v1/" in done
    assert "every 2s" not in done
    assert "as chosen" in done


def test_what_was_inferred_is_told(editor):
    job = draft(editor)
    start(editor, job)
    load_import(import_id=job.pk, clock=timezone.now)

    assert "inferred: all choices are single letters" in page_of(editor, job)


def test_the_same_content_is_reused_and_said_so(editor):
    for job in (draft(editor), draft(editor)):
        start(editor, job)
        load_import(import_id=job.pk, clock=timezone.now)

    assert "This content was there already: v1." in page_of(editor, DatasetImport.objects.latest("pk"))
    assert Example.objects.count() == 1


def test_a_failed_import_lists_what_is_wrong(editor):
    job = draft(
        editor, items=items(ITEM, ITEM, {"id": "b", "prompt": "<b>x</b>", "choices": ["<i>"], "reference": "y"})
    )
    start(editor, job)
    load_import(import_id=job.pk, clock=timezone.now)
    page = page_of(editor, job)

    assert "these 2 problems" in page
    assert "is already the id of line 1" in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page
    assert "every 2s" not in page
    assert f"{UPLOAD}?name=Quiz" in page


BILL = {"id": "a", "prompt": "Read the bill.", "reference": {"total": 2.5}, "schema": {"required": ["total"]}}


@pytest.mark.parametrize("kind", ["json", ""])
def test_objects_become_a_dataset_of_json_answers(editor, kind):
    job = draft(editor, items=items(BILL))
    assert '<option value="json">JSON</option>' in page_of(editor, job)
    start(editor, job, kind=kind)
    load_import(import_id=job.pk, clock=timezone.now)

    version = DatasetVersion.objects.get()
    example = version.examples.get()
    assert (version.answer_kind, version.scorer) == ("json", "exact")
    assert (example.reference, example.schema) == ('{"total":2.5}', '{"required":["total"]}')


def test_a_csv_file_maps_the_column_of_the_schema(editor):
    text = 'id,prompt,answer,form\n1,Read,"{""total"": 2}","{""required"": [""total""]}"\n'
    job = draft(editor, items=file(text, "bills.csv"))
    columns = {"items-id": "id", "items-prompt": "prompt", "items-reference": "answer", "items-schema": "form"}
    start(editor, job, **columns)
    load_import(import_id=job.pk, clock=timezone.now)

    assert Example.objects.get().schema == '{"required":["total"]}'


def test_a_reference_that_breaks_its_schema_is_named(editor):
    job = draft(editor, items=items(BILL, BILL | {"id": "b", "reference": {}}))
    start(editor, job)
    load_import(import_id=job.pk, clock=timezone.now)
    page = page_of(editor, job)

    assert "This does not satisfy the item&#x27;s schema ($: &#x27;total&#x27; is a required property)" in page
    assert not DatasetVersion.objects.exists()


def test_an_import_is_started_once(editor):
    job = draft(editor)
    start(editor, job)
    again = start(editor, job)

    assert again.status_code == 302
    assert "This import was started before." in page_of(editor, job)


def test_a_draft_is_discarded(editor, data_folder):
    job = draft(editor)
    response = editor.post(f"/datasets/imports/{job.pk}/discard/")

    assert response["Location"] == "/datasets/"
    assert not Dataset.objects.exists()
    assert not any(data_folder.glob("imports/*"))


def test_an_import_that_runs_is_not_discarded(editor):
    job = draft(editor)
    start(editor, job)

    assert editor.post(f"/datasets/imports/{job.pk}/discard/")["Location"] == f"/datasets/imports/{job.pk}/"
    assert DatasetImport.objects.exists()


def test_who_may_only_read_sees_the_draft_and_cannot_start_it(editor):
    job = draft(editor)
    become_reader(editor)
    page = page_of(editor, job)

    assert "Which one?" in page
    assert "Product managers can import datasets." in page
    assert ">Import</button>" not in page
    assert start(editor, job).status_code == 403
    assert editor.post(f"/datasets/imports/{job.pk}/discard/").status_code == 403


def test_an_import_that_is_not_there_is_not_found(editor):
    assert editor.get("/datasets/imports/99/").status_code == 404


def test_a_page_takes_few_queries(editor, django_assert_max_num_queries):
    job = draft(editor)
    for _ in range(2):
        with django_assert_max_num_queries(12):
            page_of(editor, job)
        start(editor, job)
