from __future__ import annotations

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from tests.functional.conftest import PASSWORD


def log_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}/login/")
    page.get_by_label("Username").fill("mira")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


def test_a_wrong_password_is_explained(page: Page, live_server, person: User) -> None:
    log_in(page, live_server.url, "not this one")

    expect(page.get_by_text("enter a correct username and password")).to_be_visible()


def test_a_right_password_leads_to_the_overview(page: Page, live_server, person: User) -> None:
    log_in(page, live_server.url, PASSWORD)

    expect(page).to_have_url(f"{live_server.url}/")


def test_a_page_behind_the_login_is_open_to_who_is_signed_in(signed_in: Page, live_server) -> None:
    signed_in.goto(f"{live_server.url}/admin/")

    expect(signed_in.get_by_role("heading", name="Site administration")).to_be_visible()
