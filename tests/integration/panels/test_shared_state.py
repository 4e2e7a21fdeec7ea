from __future__ import annotations

import asyncio
import logging
import socket
import time
from contextlib import ExitStack

import pytest

from panels.fusion.types import Reply
from panels.shared_state import provider_state
from tests.integration.panels.redis_workers import KEY, REQUEST, Upstream, eventually, open_up, start_worker


@pytest.fixture
def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_without_redis_a_process_goes_by_what_it_sees(settings):
    settings.SHARED_STATE_URL = None
    with provider_state() as registry, provider_state() as again:
        assert registry is again
        assert registry._shared is None


def test_a_redis_that_cannot_be_reached_fails_no_call_and_is_said_once(dead_url, caplog):
    caplog.set_level(logging.WARNING)
    upstream = Upstream()
    with ExitStack() as stack:
        worker = start_worker(dead_url, "quorum-test:", stack)
        client = worker.registry.wrap(upstream, KEY)
        open_up(worker.registry)
        worker.registry.limit("house").throttled(since=time.monotonic())
        eventually(lambda: len(caplog.records) > 0)
        eventually(lambda: not worker.registry.breaker(KEY).left_s())
        upstream.broken = False
        assert isinstance(asyncio.run(client.complete(REQUEST)), Reply)
        assert isinstance(asyncio.run(client.complete(REQUEST)), Reply)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not shared for now" in caplog.text
