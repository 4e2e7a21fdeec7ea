from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.files import SourceFile
from evaluation.models import Dataset, DatasetImport, DatasetVersion, Example, RecordedOutput
from evaluation.services.imports import import_files
from tests.factories import (
    NOW,
    make_dataset_version,
    make_example,
    make_model,
    make_outputs,
    make_provider,
    make_workflow,
)

LIST = "/datasets/"
HTMX = {"HX-Request": "true", "HX-Target": "rows"}


@pytest.fixture
def reader(db, client):
    user = User.objects.create_user("vito")
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


@pytest.fixture
def editor(db, client):
    user = User.objects.create_user("mara")
    user.groups.add(Group.objects.get(name="product manager"))
    client.force_login(user)
    return client


def text_of(response) -> str:
    return response.content.decode()


def lines_of(response) -> list[str]:
    return b"".join(response.streaming_content).decode().splitlines()


def address(version: DatasetVersion) -> str:
    return f"/datasets/{version.dataset.slug}/"


def make_recorded(version: DatasetVersion, *, models: int) -> list:
    provider = make_provider(kind="recorded")
    made = [make_model(provider=provider, name=f"model-{number:02}") for number in range(models)]
    version.recorded_by = provider
    version.save()
    return made


def test_datasets_are_for_people_who_logged_in(client):
    for path in (LIST, "/datasets/upload/", "/datasets/imports/1/", "/datasets/quiz/", "/datasets/quiz/v1/"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, f"/login/?next={path}")


def test_no_dataset_yet_says_what_to_do(editor):
    page = text_of(editor.get(LIST))

    assert "No datasets yet" in page
    assert "/datasets/upload/" in page


def test_without_permission_the_page_says_who_can(reader):
    page = text_of(reader.get(LIST))

    assert "Product managers can import datasets." in page
    assert "/datasets/upload/" not in page


def test_the_list_shows_the_latest_published_version_alone(reader):
    version = make_dataset_version(examples=2)
    for number, published in ((2, NOW + timedelta(hours=1)), (3, None)):
        DatasetVersion.objects.create(
            dataset=version.dataset,
            number=number,
            answer_kind="label",
            scorer="exact",
            content_hash="1" * 64,
            example_count=number * 1_000,
            created_at=NOW,
            published_at=published,
        )
    hidden = make_dataset_version(published_at=None)
    page = text_of(reader.get(LIST))

    assert page.count(f'href="{address(version)}"') == 1
    assert "2,000" in page
    assert "3,000" not in page
    assert hidden.dataset.name not in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["Gamma", "Beta", "Alpha"]),
        ({"sort": "name"}, ["Alpha", "Beta", "Gamma"]),
        ({"sort": "-examples"}, ["Beta", "Gamma", "Alpha"]),
        ({"q": "gam"}, ["Gamma"]),
        ({"workflow": "support"}, ["Beta"]),
        ({"kind": "number"}, ["Alpha"]),
        ({"sort": "nonsense", "after": "nonsense", "kind": "nonsense"}, ["Gamma", "Beta", "Alpha"]),
        ({"q": "zzz\0"}, []),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(reader, query, shown):
    workflow = make_workflow(slug="support")
    kinds = {"Alpha": ("number", 0), "Beta": ("choice", 3), "Gamma": ("choice", 1)}
    for hours, (name, (kind, examples)) in enumerate(kinds.items()):
        version = make_dataset_version(published_at=NOW + timedelta(hours=hours), answer_kind=kind, examples=examples)
        workflow_of = workflow if name == "Beta" else None
        Dataset.objects.filter(pk=version.dataset_id).update(name=name, workflow=workflow_of)
    response = reader.get(LIST, query, headers=HTMX)

    assert [row.dataset.name for row in response.context["page"].rows] == shown
    assert [f">{name}</a>" in text_of(response) for name in kinds] == [name in shown for name in kinds]


def test_a_long_list_has_pages(reader):
    for _ in range(51):
        make_dataset_version(examples=0)
    first = text_of(reader.get(LIST, {"sort": "name"}, headers=HTMX))
    assert first.count("<tr>") == 51
    key = first.split("after=")[1].split('"')[0]
    last = text_of(reader.get(f"{LIST}?sort=name&after={key}", headers=HTMX))

    assert last.count("<tr>") == 2
    assert 'rel="prev"' in last
    assert 'rel="next"' not in last


def test_the_list_is_exported(reader):
    version = make_dataset_version(examples=2)
    rows = list(csv.DictReader(lines_of(reader.get(LIST, {"export": "csv"}))))

    assert rows[0]["dataset"] == version.dataset.slug
    assert (rows[0]["examples"], rows[0]["answer_kind"], rows[0]["models"]) == ("2", "choice", "0")
    assert json.loads(lines_of(reader.get(LIST, {"export": "jsonl"}))[0])["version"] == 1


@pytest.mark.parametrize("state", ["draft", "queued", "running", "failed"])
def test_imports_that_are_under_way_are_listed(reader, state):
    dataset = Dataset.objects.create(slug="quiz", name="Quiz", created_at=NOW)
    job = DatasetImport.objects.create(
        dataset=dataset,
        state=state,
        lease_token="7b0f2f7e-6a0c-4a1c-9f0e-0d8c4f3f2a11",
        created_at=NOW,
        ended_at=NOW + timedelta(days=3650),
    )
    page = text_of(reader.get(LIST))

    assert f'href="/datasets/imports/{job.pk}/"' in page
    assert job.get_state_display() in page


# A version


def test_a_version_that_is_not_published_is_not_found(reader):
    version = make_dataset_version(published_at=None)

    for path in (address(version), f"{address(version)}v1/", "/datasets/nothing/"):
        assert reader.get(path).status_code == 404


def test_a_version_shows_its_facts_models_and_examples(reader):
    version = make_dataset_version(examples=3)
    priced, unpriced = make_recorded(version, models=2)
    unpriced.price_in_nanousd_per_mtok = unpriced.price_out_nanousd_per_mtok = None
    unpriced.save()
    make_outputs(version, {priced: ["A", "B", "C"], unpriced: ["A", None, None]}, has_predicted=True, correct=True)
    page = text_of(reader.get(address(version)))

    assert "Question 2 of dataset" in page
    assert "model-00" in page
    assert "$1.00" in page
    assert page.count(">unknown<") == 2
    assert "100.0" in page
    assert 'data-l="Unreadable">3<' in page


def test_an_older_version_leads_to_the_latest(reader):
    version = make_dataset_version()
    newer = DatasetVersion.objects.create(
        dataset=version.dataset, number=2, answer_kind="choice", scorer="exact", content_hash="1" * 64,
        created_at=NOW, published_at=NOW,
    )  # fmt: skip
    older = text_of(reader.get(f"{address(version)}v1/"))

    assert "v1 is not the latest version" in older
    assert "is not the latest version" not in text_of(reader.get(f"{address(version)}v{newer.number}/"))
    assert reader.get(address(version)).context["version"] == newer


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["b", "a", "c"]),
        ({"sort": "item"}, ["a", "b", "c"]),
        ({"sort": "-item"}, ["c", "b", "a"]),
        ({"sort": "group"}, ["c", "b", "a"]),
        ({"group": "late"}, ["b", "a"]),
        ({"q": "solar"}, ["a"]),
        ({"q": 'said "no"'}, ["c"]),
        ({"q": "42"}, ["b"]),
        ({"q": "A"}, ["b", "a", "c"]),
        ({"q": "nothing"}, []),
    ],
)
def test_examples_are_searched_filtered_and_sorted(reader, query, shown):
    version = make_dataset_version(examples=0, example_count=3)
    Example.objects.bulk_create(
        [
            make_example(version, 0, item_id="b", reference="42", group="late"),
            make_example(version, 1, item_id="a", prompt="Is the solar roof insured?", group="late"),
            make_example(version, 2, item_id="c", prompt='He said "no"', group="early"),
        ]
    )
    response = reader.get(address(version), query, headers=HTMX)

    assert [row.item_id for row in response.context["page"].rows] == shown
    assert f"{len(shown)} of {len(shown)} examples" in text_of(response) or not shown


def test_the_fragment_is_what_the_page_holds(reader):
    version = make_dataset_version(examples=60)
    whole = text_of(reader.get(address(version)))
    fragment = text_of(reader.get(address(version), headers=HTMX)).strip()

    assert fragment.startswith('<section id="rows"')
    assert "".join(fragment.split()) in "".join(whole.split())


def test_examples_have_pages(reader):
    version = make_dataset_version(examples=60)
    first = reader.get(address(version)).context["page"]
    second = reader.get(address(version), {"after": first.next_key}).context["page"]

    assert (len(first.rows), [row.position for row in second.rows]) == (50, list(range(50, 60)))
    assert (first.previous_key, second.next_key) == (None, None)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_what_is_exported_can_be_imported_again(reader, tmp_path, kind):
    version = make_dataset_version(examples=0)
    chat = [{"role": "system", "content": "Brief; “please”"}, {"role": "user", "content": "Which,\none?"}]
    Example.objects.create(
        version=version, position=0, item_id="a", title="Which, one?", prompt=json.dumps(chat, ensure_ascii=False),
        reference="B", choices=["A", "B"], context="Text", group="g", meta={"row": 1},
    )  # fmt: skip
    models = make_recorded(version, models=2)
    make_outputs(version, {models[0]: ["B"], models[1]: [""]}, latency_s=0.5, prompt_tokens=4, correct=False)
    RecordedOutput.objects.filter(model=models[0]).update(has_predicted=True, predicted="B")

    def exported(name: str) -> SourceFile:
        path = tmp_path / f"{name}.{kind}"
        path.write_text("\n".join(lines_of(reader.get(address(version), {name: kind}))) + "\n")
        return SourceFile(path=path, name=path.name)

    files = DatasetFiles(items=exported("export"), recorded=exported("outputs"))
    again = import_files(name="Again", files=files, choices=ReadingChoices(), by=None, clock=lambda: NOW).version

    fields = ("item_id", "title", "reference", "references", "choices", "context", "group", "meta")
    assert list(again.examples.values(*fields)) == list(version.examples.values(*fields))
    assert json.loads(again.examples.get().prompt) == chat
    recorded = ("model__name", "text", "predicted", "correct", "prompt_tokens", "completion_tokens", "latency_s")
    first, second = (
        list(RecordedOutput.objects.filter(example__version=one).order_by("model__name").values(*recorded))
        for one in (version, again)
    )
    assert first == second


def test_only_what_the_filter_leaves_is_exported(reader):
    version = make_dataset_version(examples=5)

    assert len(lines_of(reader.get(address(version), {"export": "jsonl", "q": "Question 3"}))) == 1
    rows = csv.reader(io.StringIO("\n".join(lines_of(reader.get(address(version), {"export": "csv"})))))
    assert len(list(rows)) == 6


def test_ten_thousand_examples_take_few_queries(reader, django_assert_max_num_queries):
    version = make_dataset_version(examples=0, example_count=10_000)
    Example.objects.bulk_create(
        make_example(version, position, group=f"group {position % 20}") for position in range(10_000)
    )
    models = make_recorded(version, models=2)
    make_outputs(version, {model: ["A"] * 10_000 for model in models})

    for query in ({}, {"q": "77", "group": "group 7", "sort": "-item"}):
        with django_assert_max_num_queries(12):
            assert reader.get(address(version), query).status_code == 200
    with django_assert_max_num_queries(8):
        assert reader.get(LIST).status_code == 200


def test_addresses_have_names():
    assert reverse("evaluation:dataset-version", args=["quiz", 2]) == "/datasets/quiz/v2/"
    assert reverse("evaluation:import", args=[7]) == "/datasets/imports/7/"
