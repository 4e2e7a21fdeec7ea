"""What a product manager does on the first day, from files on a disk to a result that names its items."""

from __future__ import annotations

import csv

from playwright.sync_api import Page, expect

from evaluation.intake.columns import Role
from evaluation.tasks import load_import_task, work_run_task
from tests.functional.browsing import OpenPage, number_in, tab_and_type, tab_to
from tests.functional.sample import REPLAYED_ITEMS, Files, is_right, recorded_files
from tests.functional.service import MANAGER, PASSWORD, Service

NAME = "Tickets of last month"
LARGE, SMALL = "large-2025-01-15", ("small-a", "small-b", "small-c")


def test_from_files_to_a_result(open_page: OpenPage, service: Service) -> None:
    page = open_page(None)
    _log_in(page)
    provider = _import_dataset(page, service)
    _make_panel(page, "Today", [f"{provider}/{LARGE}"])
    _make_panel(page, "Three small ones", [f"{provider}/{model}" for model in SMALL])
    _start_experiment(page)
    _watch_it_run(page, service)
    _look_into_a_cell(page)
    _export_it(page)


def _log_in(page: Page) -> None:
    page.goto("/")
    tab_and_type(page, page.get_by_label("Username"), MANAGER)
    tab_and_type(page, page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def choose_files(page: Page, files: Files) -> None:
    labels = {Role.ITEMS: "Examples", Role.RECORDED: "Recorded outputs", Role.MODELS: "Prices of the recorded models"}
    for role, (name, content) in files.items():
        chosen = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        page.get_by_label(labels[role]).set_input_files(chosen)  # type: ignore[arg-type] # a FilePayload


def _import_dataset(page: Page, service: Service) -> str:
    """Gives the slug of the provider that the recorded models are of."""
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("link", name="Upload a dataset").first.click()
    page.get_by_label("Name").fill(NAME)
    choose_files(page, recorded_files())
    page.get_by_role("button", name="Upload").click()

    expect(page.get_by_role("region", name="First rows of tickets.jsonl")).to_contain_text("t-000")
    expect(page.get_by_role("region", name="First rows of outputs.jsonl")).to_contain_text(LARGE)
    expect(page.get_by_role("region", name="First rows of models.json")).to_contain_text("price_out_per_mtok")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    service.workers.finish(load_import_task, import_id=number_in(page.url, "imports"))
    # Nobody reloads: the page asks by itself.
    expect(page.get_by_text("v1 is published.")).to_be_visible()
    page.get_by_role("link", name="Open the dataset").click()

    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    expect(page.get_by_text(f"{4 * REPLAYED_ITEMS} recorded outputs of 4 models")).to_be_visible()
    expect(page.locator("#rows tbody tr")).to_have_count(REPLAYED_ITEMS)
    return f"recorded-{page.url.rstrip('/').split('/')[-2]}-v1"


def _make_panel(page: Page, name: str, models: list[str]) -> None:
    """Without a mouse, from the list of panels to the version's page."""
    page.goto("/panels/")
    page.keyboard.press("n")
    page.wait_for_url("**/panels/new/")
    tab_and_type(page, page.get_by_label("Name"), name)
    for row, model in enumerate(models):
        tab_and_type(page, page.get_by_label(f"Model, member {row + 1} of stage 1"), model)
    # The first row of suggestions may hang over the page.
    page.keyboard.press("Escape")
    tab_to(page, page.get_by_role("button", name="Save the panel"))
    page.keyboard.press("Enter")

    page.wait_for_url("**/v1/")
    seats = page.get_by_role("region", name="Members of stage 1").locator("tbody tr")
    expect(seats).to_have_count(len(models))


def _start_experiment(page: Page) -> None:
    page.get_by_role("link", name="Experiments").click()
    page.get_by_role("link", name="New experiment").click()
    page.get_by_label("Title").fill("Small ones against today's")
    page.get_by_label("Dataset").select_option(label=f"{NAME} v1: {REPLAYED_ITEMS} examples, recorded outputs")
    page.get_by_text("Replay recorded outputs").click()
    estimate = page.locator("#estimate")
    expect(estimate).to_contain_text("Choose a dataset and at least one panel")
    page.get_by_label("Baseline").select_option(label="Today v1")
    expect(estimate).to_contain_text(str(REPLAYED_ITEMS))
    page.get_by_label("Three small ones v1").check()

    expect(estimate.get_by_text("Calls").locator("+ dd")).to_have_text(str(4 * REPLAYED_ITEMS))
    expect(estimate.get_by_text("Money").locator("+ dd")).to_contain_text("nothing is paid")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url("**/runs/*/")


def _watch_it_run(page: Page, service: Service) -> None:
    expect(page.locator("#live")).to_contain_text(f"0 of {2 * REPLAYED_ITEMS} answers")
    service.workers.finish(work_run_task, run_id=number_in(page.url, "runs"))

    # Again nobody reloads.
    expect(page.get_by_role("heading", name="Arm scorecard")).to_be_visible()
    right = sum(is_right(LARGE, number) for number in range(REPLAYED_ITEMS))
    row = page.get_by_role("region", name="Arm scorecard table").get_by_role("row", name="Today v1")
    expect(row).to_contain_text(f"{100 * right / REPLAYED_ITEMS:.1f}")


def _panel_is_right(number: int) -> bool:
    return sum(is_right(model, number) for model in SMALL) >= 2


def _lost() -> set[str]:
    """Items that the baseline has right and the panel wrong."""
    numbers = range(REPLAYED_ITEMS)
    return {f"t-{number:03}" for number in numbers if is_right(LARGE, number) and not _panel_is_right(number)}


def _look_into_a_cell(page: Page) -> None:
    lost = _lost()
    assert lost, "the sample answers are made so that some are lost"
    cell = page.locator(".four [data-state=fail] a")
    expect(cell).to_have_text(str(len(lost)))
    cell.click()
    rows = page.locator("#items tbody tr")
    expect(rows).to_have_count(len(lost))
    assert set(page.locator("#items tbody td.id").all_inner_texts()) == lost

    table = page.url
    item = rows.first.locator("td.id")
    opened = item.inner_text()
    item.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Answers by agreement")).to_be_visible()
    expect(page.get_by_role("navigation", name="Breadcrumb")).to_contain_text(opened)
    expect(page.get_by_text("Lost", exact=False).first).to_be_visible()
    page.go_back()
    expect(page).to_have_url(table)
    expect(rows).to_have_count(len(lost))


def _export_it(page: Page) -> None:
    with page.expect_download() as download:
        page.locator("#items").get_by_role("link", name="CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["item_id"] for row in rows} == _lost()
