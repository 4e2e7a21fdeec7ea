from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.functional.browsing import OpenPage
from tests.functional.service import MANAGER, PASSWORD


def log_in(page: Page, *, password: str) -> None:
    page.get_by_label("Username").fill(MANAGER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


def test_a_wrong_password_is_explained(open_page: OpenPage) -> None:
    page = open_page(None)
    page.goto("/login/")
    log_in(page, password="not this one")

    expect(page.get_by_text("enter a correct username and password")).to_be_visible()


def test_a_right_password_leads_to_the_page_that_was_asked_for_and_logging_out_closes_it(open_page: OpenPage) -> None:
    page = open_page(None)
    page.goto("/panels/")
    log_in(page, password=PASSWORD)
    expect(page.get_by_role("heading", name="Panels", level=1)).to_be_visible()

    page.get_by_label(f"Account of {MANAGER}").press("Enter")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login/")
    page.goto("/panels/")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_chosen_colour_scheme_is_kept(manager: Page) -> None:
    manager.goto("/")
    toggle = manager.get_by_role("button", name="Colour scheme")
    for chosen in ("light", "dark"):
        toggle.click()
        expect(toggle).to_have_attribute("aria-label", f"Colour scheme: {chosen}")
    manager.reload()

    expect(manager.locator("html")).to_have_attribute("data-theme", "dark")
    assert manager.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 22)"
