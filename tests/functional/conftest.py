from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import ConsoleMessage, Page

# Playwright's synchronous interface runs an event loop in this thread, and Django then refuses the test's own queries.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PASSWORD = "a long enough word"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": os.environ.get("QUORUM_CHROMIUM"), "args": sandbox}


@pytest.fixture
def person(transactional_db) -> User:
    return User.objects.create_superuser("mira", password=PASSWORD)


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    """Every page is free of errors on the console: a script that throws, a file that is missing, a broken policy.

    An answer of 4xx that a test provokes is logged by the browser too; that line says nothing about the page.
    """
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield
    assert errors == []


@pytest.fixture
def signed_in(page: Page, live_server, person: User, client) -> Page:
    """A page whose browser carries the session of ``person``."""
    client.force_login(person)
    cookie = client.cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
    return page
