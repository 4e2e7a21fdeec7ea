from __future__ import annotations

from playwright.sync_api import Page, expect

from evaluation.intake.columns import Role
from evaluation.models import Dataset, DatasetVersion
from evaluation.tasks import load_import_task
from tests.functional.browsing import number_in
from tests.functional.sample import broken_files, recorded_files
from tests.functional.service import Service
from tests.functional.test_first_experiment import choose_files

NAME = "Tickets in need of care"


def test_what_is_wrong_with_files_is_listed_and_a_corrected_upload_works(manager: Page, service: Service) -> None:
    manager.goto("/datasets/upload/")
    manager.get_by_label("Name").fill(NAME)
    choose_files(manager, broken_files())
    _import(manager, service)

    expect(manager.get_by_text("Nothing was imported.")).to_be_visible()
    cells = manager.get_by_role("region", name="Problems table").locator("tbody tr")
    listed = [row.split("\t")[:3] for row in cells.all_inner_texts()]
    assert listed == [
        ["tickets.jsonl", "2", "id"],
        ["tickets.jsonl", "4", "prompt"],
        ["tickets.jsonl", "5", "reference"],
    ]
    assert not DatasetVersion.objects.filter(dataset__name=NAME).exists()

    manager.get_by_role("link", name="Upload again").click()
    expect(manager.get_by_label("Name")).to_have_value(NAME)
    choose_files(manager, recorded_files(items=6))
    _import(manager, service)
    expect(manager.get_by_text("v1 is published.")).to_be_visible()
    assert Dataset.objects.get(name=NAME).versions.get().example_count == 6


def _import(page: Page, service: Service) -> None:
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    service.workers.finish(load_import_task, import_id=number_in(page.url, "imports"))


def test_a_file_without_a_row_is_refused_at_its_field(manager: Page) -> None:
    manager.goto("/datasets/upload/")
    manager.get_by_label("Name").fill("Empty")
    choose_files(manager, {Role.ITEMS: ("nothing.jsonl", b"")})
    manager.get_by_role("button", name="Upload").click()

    wrong = manager.get_by_label("Examples")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(manager.locator("#id_items_error")).to_contain_text("nothing.jsonl")
    assert not Dataset.objects.filter(name="Empty", versions__isnull=False).exists()


def test_the_columns_of_a_table_are_mapped(manager: Page, service: Service) -> None:
    table = "number,question,answer\n" + "".join(f"q{n},What is {n} plus {n}?,{2 * n}\n" for n in range(5))
    manager.goto("/datasets/upload/")
    manager.get_by_label("Name").fill("Sums")
    choose_files(manager, {Role.ITEMS: ("sums.csv", table.encode())})
    manager.get_by_role("button", name="Upload").click()
    manager.get_by_role("button", name="Import", exact=True).click()
    expect(manager.get_by_text("Choose the column that holds the id.")).to_be_visible()

    manager.get_by_label("Id", exact=True).select_option("number")
    manager.get_by_label("Prompt", exact=True).select_option("question")
    manager.get_by_label("Reference").select_option("answer")
    manager.get_by_label("Answer kind").select_option(label="Number")
    manager.get_by_role("button", name="Import", exact=True).click()
    expect(manager.get_by_text("Waiting for a worker")).to_be_visible()
    service.workers.finish(load_import_task, import_id=number_in(manager.url, "imports"))

    manager.get_by_role("link", name="Open the dataset").click()
    expect(manager.locator("#rows")).to_contain_text("What is 4 plus 4?")
    expect(manager.locator("#rows tbody tr").last).to_contain_text("8")
