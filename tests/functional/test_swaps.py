"""A page that was put together from fragments is the page that its address gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from playwright.sync_api import Page, expect

from tests.functional.browsing import assert_swap_equals_reload
from tests.functional.sample import Sample
from tests.functional.test_every_page import PAGES

Act: TypeAlias = Callable[[Page], object]


def _search(words: str) -> Act:
    def search(page: Page) -> None:
        page.locator("#main form [name=q]").fill(words)
        page.keyboard.press("Enter")

    return search


def _choose(name: str, value: str) -> Act:
    return lambda page: page.locator(f"#main select[name={name}]").select_option(value)


def _sort(head: str) -> Act:
    return lambda page: page.get_by_role("columnheader", name=head).get_by_role("link").click()


def _tick(chip: str) -> Act:
    return lambda page: page.locator("#items").get_by_role("radio", name=chip).check()


def _next(page: Page) -> None:
    page.get_by_role("link", name="Next").click()


# The page, what is done there, and what of the address tells that it was done.
SWAPS: dict[str, tuple[str, Act, str]] = {
    "experiments by state": ("experiments", _choose("state", "finished"), "state=finished"),
    "experiments by words": ("experiments", _search("sales"), "q=sales"),
    "datasets by kind": ("datasets", _choose("kind", "label"), "kind=label"),
    "datasets, none": ("datasets", _search("nothing is called so"), "q=nothing"),
    "examples of a group": ("dataset", _choose("group", "camping"), "group=camping"),
    "examples, next page": ("dataset", _next, "after="),
    "panels by strategy": ("panels", _choose("strategy", "weighted"), "strategy=weighted"),
    "models by words": ("models", _search("atlas"), "q=atlas"),
    "providers by words": ("providers", _search("slow"), "q=slow"),
    "items that were lost": ("run-items", _tick("Lost"), "versus=lost"),
    "items, next page": ("run-items", _next, "after="),
    "items among the results": ("run-results", _tick("Lost"), "versus=lost"),
    "traffic of a workflow": ("monitoring", _choose("workflow", "sales-assistant"), "workflow=sales-assistant"),
    "items in another order": ("run-items", _sort("Consensus"), "sort=-consensus"),
}


@pytest.mark.parametrize("name", SWAPS)
def test_a_swap_equals_a_reload(name: str, manager: Page, sample: Sample) -> None:
    start, act, address = SWAPS[name]
    manager.goto(PAGES[start](sample))
    manager.evaluate("window.loadedOnce = true")
    with manager.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        act(manager)
    manager.wait_for_url(lambda url: address in url)
    expect(manager.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    assert manager.evaluate("window.loadedOnce"), "the page was loaded anew"
    assert_swap_equals_reload(manager)


@pytest.mark.parametrize("name", ["run-running", "run-queued", "import-waiting", "overview"])
def test_a_poll_equals_a_reload(name: str, manager: Page, sample: Sample) -> None:
    manager.goto(PAGES[name](sample))
    with manager.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        pass
    expect(manager.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    assert_swap_equals_reload(manager)


def test_a_filtered_table_can_be_left_and_come_back_to(manager: Page, sample: Sample) -> None:
    manager.goto(PAGES["run-items"](sample))
    rows = manager.locator("#items tbody tr")
    manager.locator("#items").get_by_role("radio", name="Lost").check()
    manager.wait_for_url("**versus=lost**")
    expect(rows).not_to_have_count(50)
    filtered = rows.count()
    manager.get_by_role("link", name="Overview").click()
    manager.go_back()
    expect(rows).to_have_count(filtered)
    expect(manager.locator("#items").get_by_role("radio", name="Lost")).to_be_checked()
    manager.go_back()
    expect(rows).to_have_count(50)
