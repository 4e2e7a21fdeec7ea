"""Boards on one Redis are worker processes. Collected where the services' tests run (``conftest.py``)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings

from panels.fusion.breaker import Outage
from panels.fusion.types import Failure, Reply
from panels.shared_state import provider_state
from tests.integration.panels.redis_workers import KEY, REQUEST, Upstream, Worker, eventually, open_up, start_worker


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    prefix = f"quorum-test:{secrets.token_hex(6)}:"
    with ExitStack() as stack:
        yield [start_worker(settings.CELERY_BROKER_URL, prefix, stack) for _ in range(3)]


def test_an_outage_that_one_worker_finds_is_everybodys(workers):
    first, *others = workers
    for worker in others:
        worker.registry.breaker(KEY)
    open_up(first.registry)
    eventually(lambda: all(worker.registry.breaker(KEY).left_s() > 0 for worker in others))
    assert others[0].registry.breaker(KEY).outage().left_s <= 0.3


def test_of_all_workers_one_probes_and_its_answer_opens_the_way_for_all(workers):
    upstream = Upstream()
    clients = [worker.registry.wrap(upstream, KEY) for worker in workers]
    open_up(workers[0].registry)
    eventually(lambda: all(worker.registry.breaker(KEY).outage() for worker in workers))
    eventually(lambda: not any(worker.registry.breaker(KEY).left_s() for worker in workers))
    upstream.broken = False

    async def ask_all() -> list[Reply | Failure]:
        return await asyncio.gather(*(client.complete(REQUEST) for client in clients for _ in range(4)))

    results = asyncio.run(ask_all())
    assert upstream.asked == 1
    assert sum(isinstance(result, Reply) for result in results) == 1
    eventually(lambda: not any(worker.registry.breaker(KEY).outage() for worker in workers))
    assert all(isinstance(result, Reply) for result in asyncio.run(ask_all()))


def test_a_probe_that_fails_makes_the_pause_longer_for_all(workers):
    upstream = Upstream()
    client = workers[0].registry.wrap(upstream, KEY)
    open_up(workers[1].registry)
    eventually(lambda: workers[0].registry.breaker(KEY).outage() is not None)
    eventually(lambda: not workers[0].registry.breaker(KEY).left_s())
    asyncio.run(client.complete(REQUEST))
    eventually(lambda: workers[1].registry.breaker(KEY).outage().pause_s == 6.0)
    # The probe is over, but so is everybody's patience: nobody may claim another one before the pause ends.
    assert not asyncio.run(workers[1].board.claim_probe(KEY))


def test_only_whoever_holds_the_probe_may_claim_it_again(workers):
    first, second, _ = workers
    assert [asyncio.run(worker.board.claim_probe(KEY)) for worker in (first, second, first)] == [True, False, True]
    first.board.tell_outage(KEY, None)
    eventually(lambda: asyncio.run(second.board.claim_probe(KEY)))


def test_429_of_one_worker_slows_all_of_them_once_a_burst(workers):
    limits = [worker.registry.limit("house") for worker in workers]
    with ExitStack() as stack:
        for limit in limits:
            stack.enter_context(limit.opened(8))
        # Everybody has listened once; what was before a worker began does not count.
        eventually(lambda: all("house" in worker.board._cuts_seen for worker in workers))
        limits[0].throttled(since=time.monotonic())
        limits[1].throttled(since=time.monotonic())
        eventually(lambda: limits[2].reading().limit == 4)
        time.sleep(0.1)
        assert [limit.reading().limit for limit in limits] == [4, 4, 4]


def test_a_worker_hears_nothing_once_it_has_stopped_and_can_start_again(workers):
    with ExitStack() as stack:
        extra = start_worker(settings.CELERY_BROKER_URL, workers[0].board._prefix, stack)
        with extra.board.running():
            extra.registry.breaker(KEY)
    open_up(workers[0].registry)
    assert asyncio.run(extra.board.claim_probe(KEY))
    assert extra.registry.breaker(KEY).outage() is None
    with extra.board.running():
        eventually(lambda: extra.registry.breaker(KEY).outage() is not None)


def test_a_process_shares_through_the_redis_of_its_settings(settings):
    settings.SHARED_STATE_URL = settings.CELERY_BROKER_URL
    with provider_state() as registry:
        assert registry._shared is not None


def test_what_a_worker_found_while_redis_was_away_is_told_once_it_is_back(workers):
    first, second, _ = workers
    second.registry.breaker(KEY)
    first.board._reachable = False
    first.registry.breaker(KEY).adopt(Outage(left_s=5.0, pause_s=5.0), era=first.registry.breaker(KEY).era)
    eventually(lambda: second.registry.breaker(KEY).outage() is not None)


def test_a_value_that_cannot_be_read_does_no_harm(workers, caplog):
    board = workers[0].board
    board._redis.set(board._outage(KEY), "soon", px=1_000_000)
    workers[0].registry.breaker(KEY)
    eventually(lambda: "could not be kept up to date" in caplog.text)
    board._redis.delete(board._outage(KEY))
    open_up(workers[0].registry)
    eventually(lambda: workers[1].registry.breaker(KEY).outage() is not None)
