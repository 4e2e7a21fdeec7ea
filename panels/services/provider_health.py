"""Workers write down how their providers are, for the pages to show. Nothing is decided by what stands there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta

from panels.fusion.breaker import BreakerReading
from panels.fusion.registry import Health, ModelKey
from panels.models import Provider, ProviderHealth
from panels.shared_state import health_to_note

# The rows of workers that have ended are of no use for longer.
_KEPT = timedelta(days=1)
_FIELDS = ("breakers", "limit", "ceiling", "waiting", "seen_at")


def note_provider_health(*, now: datetime, at_once: bool = False) -> None:
    """Writes down what this process knows, if that is news; every few seconds at most, unless ``at_once``."""
    health = health_to_note(now=now, at_once=at_once)
    if health is None:
        return
    providers = Provider.objects.in_bulk([slug for slug, _ in health.limits], field_name="slug")
    ProviderHealth.objects.filter(seen_at__lt=now - _KEPT).delete()
    ProviderHealth.objects.bulk_create(
        _rows(health, providers, now=now),
        update_conflicts=True,
        unique_fields=["worker", "provider"],
        update_fields=_FIELDS,
    )


def _rows(health: Health, providers: dict[str, Provider], *, now: datetime) -> Iterator[ProviderHealth]:
    worker = f"{socket.gethostname()}:{os.getpid()}"
    for slug, limit in health.limits:
        if slug in providers:
            yield ProviderHealth(
                worker=worker,
                provider=providers[slug],
                breakers=[_breaker(key, reading) for key, reading in health.models if key.provider == slug],
                limit=limit.limit,
                ceiling=limit.ceiling,
                waiting=limit.waiting,
                seen_at=now,
            )


def _breaker(key: ModelKey, reading: BreakerReading) -> dict[str, object]:
    return {"name": key.name, **asdict(reading), "state": reading.state.value, "left_s": round(reading.left_s, 1)}
