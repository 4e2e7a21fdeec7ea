from __future__ import annotations

from datetime import timedelta

import pytest

from panels.fusion.breaker import Verdict
from panels.fusion.registry import ModelKey, Registry
from panels.models import ProviderHealth
from panels.services.provider_health import note_provider_health
from panels.shared_state import provider_state
from tests.factories import NOW, make_provider

pytestmark = pytest.mark.django_db


def fail(registry: Registry, key: ModelKey, times: int = 1) -> None:
    breaker = registry.breaker(key)
    for _ in range(times):
        ticket = breaker.enter()
        assert ticket is not None
        breaker.leave(ticket, Verdict.ILL, detail="HTTP 500")


def test_a_process_that_has_asked_nobody_writes_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        note_provider_health(now=NOW, at_once=True)


def test_what_a_process_knows_is_written_once_for_each_provider_and_again_when_it_changes():
    house, other = make_provider(slug="house"), make_provider(slug="other")
    with provider_state() as registry, registry.limit("house").opened(8), registry.limit("other").opened(2):
        registry.breaker(ModelKey("other", "small"))
        fail(registry, ModelKey("house", "large"), times=5)
        note_provider_health(now=NOW)
        row = ProviderHealth.objects.get(provider=house)
        assert (row.limit, row.ceiling, row.waiting, row.seen_at) == (8, 8, 0, NOW)
        [breaker] = row.breakers
        assert breaker | {"left_s": 2.0} == {
            "name": "large",
            "state": "open",
            "left_s": 2.0,
            "calls": 5,
            "failures": 5,
            "last_failure": "HTTP 500",
        }
        assert ProviderHealth.objects.get(provider=other).breakers[0]["state"] == "closed"
        fail(registry, ModelKey("other", "small"))
        note_provider_health(now=NOW + timedelta(seconds=4))
    assert ProviderHealth.objects.count() == 2
    assert ProviderHealth.objects.get(provider=other).breakers[0]["failures"] == 1


def test_nothing_is_written_twice_or_too_often_unless_it_is_the_last_word(django_assert_num_queries):
    make_provider(slug="house")
    key = ModelKey("house", "large")
    with provider_state() as registry:
        registry.limit("house")
        fail(registry, key)
        note_provider_health(now=NOW)
        with django_assert_num_queries(0):
            note_provider_health(now=NOW + timedelta(seconds=10), at_once=True)
            fail(registry, key)
            note_provider_health(now=NOW + timedelta(seconds=1))
        note_provider_health(now=NOW + timedelta(seconds=1), at_once=True)
    assert ProviderHealth.objects.get().breakers[0]["failures"] == 2


def test_a_provider_that_is_gone_is_left_out_and_old_words_are_forgotten():
    house = make_provider(slug="house")
    ProviderHealth.objects.create(
        worker="dead:1", provider=house, limit=1, ceiling=1, waiting=0, seen_at=NOW - timedelta(days=2)
    )
    with provider_state() as registry:
        registry.limit("house")
        registry.limit("gone")
        note_provider_health(now=NOW)
    assert ProviderHealth.objects.get().worker != "dead:1"
