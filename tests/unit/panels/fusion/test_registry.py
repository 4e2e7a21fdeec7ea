from __future__ import annotations

from panels.fusion.breaker import Breaker, BreakerState, Outage, Verdict
from panels.fusion.limits import LimitReading
from panels.fusion.registry import ModelKey, Registry
from panels.fusion.types import ModelRequest, Reply, Sampling

KEY, OTHER = ModelKey("house", "large"), ModelKey("house", "small")


class Answering:
    async def complete(self, request: ModelRequest) -> Reply:
        return Reply(text="A")


class Recorder:
    """Hears everything, and gives the probe to somebody else."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def attach(self, registry: Registry) -> None:
        self.heard.append("attached")

    def tell_outage(self, key: ModelKey, outage: Outage | None) -> None:
        self.heard.append((key, outage))

    def tell_cut(self, provider: str) -> None:
        self.heard.append(provider)

    async def claim_probe(self, key: ModelKey) -> bool:
        self.heard.append(("probe", key))
        return False


def open_up(breaker: Breaker) -> None:
    for _ in range(5):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.leave(ticket, Verdict.ILL)


def test_all_who_ask_share_a_models_breaker_and_a_providers_limit():
    registry = Registry()
    assert registry.breaker(KEY) is registry.breaker(ModelKey("house", "large"))
    assert registry.breaker(KEY) is not registry.breaker(OTHER)
    first, second = registry.wrap(Answering(), KEY), registry.wrap(Answering(), OTHER)
    assert first.limit is second.limit is registry.limit("house")
    assert first.breaker is not second.breaker


def test_health_is_told_in_the_order_of_names():
    registry = Registry(now=lambda: 7.0)
    registry.wrap(Answering(), OTHER)
    open_up(registry.breaker(KEY))
    with registry.limit("house").opened(4):
        health = registry.health()
    assert [(key, reading.state) for key, reading in health.models] == [
        (KEY, BreakerState.OPEN),
        (OTHER, BreakerState.CLOSED),
    ]
    assert health.limits == (("house", LimitReading(limit=4, ceiling=4, in_use=0, waiting=0)),)


async def test_what_changes_is_told_to_the_other_processes():
    shared, now = Recorder(), 0.0
    registry = Registry(shared=shared, now=lambda: now)
    client = registry.wrap(Answering(), KEY)
    open_up(registry.breaker(KEY))
    with registry.limit("house").opened(4):
        registry.limit("house").throttled(since=0.0)
    now = 2.0
    await client.complete(ModelRequest(model="large", messages=(), sampling=Sampling()))
    assert shared.heard == ["attached", (KEY, Outage(left_s=2.0, pause_s=2.0)), "house", ("probe", KEY)]
