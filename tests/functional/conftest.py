from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connections
from django.test.utils import setup_databases, teardown_databases
from playwright.sync_api import BrowserContext, Page, expect

from tests.functional.browsing import OpenPage, watch_page
from tests.functional.sample import Sample, load_sample
from tests.functional.service import MANAGER, VIEWER, Service, open_service

# Playwright's synchronous interface runs an event loop in this thread, and Django then refuses the test's own queries.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
# Only what is broken ever waits this long; a machine that does other things too must not break a test.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": os.environ.get("QUORUM_CHROMIUM"), "args": sandbox}


@pytest.fixture(scope="session")
def database(django_test_environment, django_db_blocker) -> Iterator[None]:
    """One for all tests: a browser sees only what is committed, so nothing can be rolled back after each."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        yield
        connections.close_all()
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def service(database: None) -> Iterator[Service]:
    """No test may count on the rows of others to be absent."""
    with open_service() as service:
        yield service


@pytest.fixture(scope="session")
def sample(service: Service) -> Sample:
    return service.workers.finish(load_sample, service=service)


@pytest.fixture
def open_page(new_context, service: Service) -> Iterator[OpenPage]:
    """Pages of a browser of their own, for a person by name or for nobody. Each is free of errors, warnings and
    violations of the content security policy to its end."""
    faults: list[str] = []
    reports = service.policy_reports

    def open_page(name: str | None, **options: object) -> Page:
        context: BrowserContext = new_context(base_url=service.url, **options)
        context.set_default_timeout(20_000)
        if name is not None:
            context.add_cookies([{"name": "sessionid", "value": service.session_of(name), "url": service.url}])
        context.on("page", lambda page: watch_page(page, faults))
        return context.new_page()

    yield open_page
    assert faults == []
    assert service.policy_reports == reports


@pytest.fixture
def manager(open_page: OpenPage) -> Page:
    return open_page(MANAGER)


@pytest.fixture
def viewer(open_page: OpenPage) -> Page:
    return open_page(VIEWER)
