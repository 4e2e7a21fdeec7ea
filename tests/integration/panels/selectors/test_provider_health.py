from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from panels.fusion.breaker import BreakerState
from panels.models import Provider, ProviderHealth
from panels.selectors.provider_health import provider_health
from tests.factories import NOW, make_provider

pytestmark = pytest.mark.django_db


def told(name: str = "large", state: str = "closed", **fields: Any) -> dict[str, Any]:
    defaults = {"name": name, "state": state, "left_s": 0.0, "calls": 10, "failures": 1, "last_failure": "HTTP 500"}
    return defaults | fields


def seen(provider: Provider, *breakers: dict[str, Any], ago: float = 0.0, **fields: Any) -> None:
    defaults: dict[str, Any] = {"worker": f"w:{ProviderHealth.objects.count()}", "limit": 4, "ceiling": 8, "waiting": 0}
    ProviderHealth.objects.create(
        provider=provider, breakers=list(breakers), seen_at=NOW - timedelta(seconds=ago), **(defaults | fields)
    )


def test_nobody_has_asked_yet():
    make_provider()
    health = provider_health(now=NOW)
    assert (health.models, health.is_live) == ((), False)


def test_workers_that_ask_now_count_together_and_the_gravest_state_is_shown(django_assert_num_queries):
    house = make_provider(name="House")
    seen(house, told(state="open", left_s=9.0), ago=2)
    seen(house, told(failures=3, last_failure=""), ago=1)
    with django_assert_num_queries(1):
        health = provider_health(now=NOW)
    [model] = health.models
    assert (model.name, model.provider, model.simulated, model.workers) == ("large", "House", True, 2)
    assert (model.state, model.left_s) == (BreakerState.OPEN, 7.0)
    assert (model.failures, model.calls, model.last_failure) == (4, 20, "HTTP 500")
    assert (model.limit, model.ceiling, model.is_lowered) == (8, 16, True)
    assert health.is_live


def test_a_worker_that_is_gone_is_not_counted_beside_one_that_asks():
    house = make_provider()
    seen(house, told(state="open", left_s=500.0), ago=120)
    seen(house, told())
    [model] = provider_health(now=NOW).models
    assert (model.state, model.calls, model.workers) == (BreakerState.CLOSED, 10, 1)


def test_when_nobody_asks_the_last_word_stands_without_the_counts_of_its_minute():
    house = make_provider()
    seen(house, told(state="open", left_s=30.0), ago=90)
    seen(house, told(state="open", left_s=500.0), ago=3000)
    health = provider_health(now=NOW)
    [model] = health.models
    assert (model.state, model.left_s) == (BreakerState.PROBING, 0.0)
    assert (model.calls, model.failures, model.limit, model.is_lowered) == (0, 0, None, False)
    assert (model.last_failure, model.seen_at) == ("HTTP 500", NOW - timedelta(seconds=90))
    assert not health.is_live


def test_those_in_trouble_stand_first():
    first, second = make_provider(name="A"), make_provider(name="B")
    seen(first, told("one"), told("two", state="probing"))
    seen(second, told("three", state="open", left_s=5.0))
    health = provider_health(now=NOW)
    assert [model.name for model in health.models] == ["three", "two", "one"]


@pytest.mark.parametrize(("url", "shared"), [("redis://localhost/0", True), (None, False)])
def test_it_says_whether_workers_tell_each_other(url, shared, settings):
    settings.SHARED_STATE_URL = url
    assert provider_health(now=NOW).is_shared is shared
