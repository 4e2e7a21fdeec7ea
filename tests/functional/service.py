"""Quorum as it is served, in threads of the test's own process: web server, workers, simulated providers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.signals import request_started
from django.db import connections
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from evaluation.sample.workflows import WORKFLOWS
from fusion_site.lib.csp import REPORT_PATH
from panels.simulator.answer_key import load_answer_key
from tests.simulator_server import SimulatorServer, serve_simulator

PASSWORD = "a long enough word"
MANAGER, VIEWER, APPROVER, AUDITOR = "mira", "vic", "ada", "cleo"
GROUPS = {MANAGER: "product manager", VIEWER: "viewer", APPROVER: "approver", AUDITOR: "compliance"}
# Slow enough for a person to pause a run of some hundred answers.
SLOW_MS = 120
_MOST_SECONDS = 60


class Workers:
    """What Celery's workers would do, done in a thread when the test says so."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="worker")

    def start(self, work: Callable[..., Any], **arguments: Any) -> Future[Any]:
        return self._pool.submit(_do, work, arguments)

    def finish(self, work: Callable[..., Any], **arguments: Any) -> Any:
        return self.start(work, **arguments).result(timeout=_MOST_SECONDS)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _do(work: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return work(**arguments)
    finally:
        connections.close_all()


@dataclass(kw_only=True)  # no slots: the signal holds it by a weak reference
class Service:
    """``policy_reports`` counts what browsers reported against the content security policy, ``reported`` tells."""

    url: str
    workers: Workers
    fast: SimulatorServer
    slow: SimulatorServer
    policy_reports: int = 0
    reported: threading.Event = field(default_factory=threading.Event)
    _sessions: dict[str, str] = field(default_factory=dict)

    def session_of(self, name: str) -> str:
        """The cookie of a person who is logged in."""
        if name not in self._sessions:
            client = Client()
            client.force_login(User.objects.get(username=name))
            self._sessions[name] = client.cookies["sessionid"].value
        return self._sessions[name]

    def note_request(self, *, environ: dict[str, Any], **_: object) -> None:
        if environ["PATH_INFO"] == REPORT_PATH:
            self.policy_reports += 1
            self.reported.set()


@contextmanager
def open_service() -> Iterator[Service]:
    """Needs an open test database in a file."""
    for name, group in GROUPS.items():
        User.objects.create_user(name, password=PASSWORD).groups.add(Group.objects.get(name=group))
    key = load_answer_key(workflow.items for workflow in WORKFLOWS)
    server, workers = LiveServer("127.0.0.1"), Workers()
    with (
        server._live_server_modified_settings,
        serve_simulator(answer_key=key, latency_ms=5) as fast,
        serve_simulator(answer_key=key, latency_ms=SLOW_MS, faults=False) as slow,
    ):
        service = Service(url=server.url, workers=workers, fast=fast, slow=slow)
        request_started.connect(service.note_request)
        try:
            yield service
        finally:
            request_started.disconnect(service.note_request)
            workers.close()
            server.stop()
