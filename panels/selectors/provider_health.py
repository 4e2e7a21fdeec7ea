"""How providers are, as the workers that ask them last wrote it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from panels.fusion.breaker import BreakerState
from panels.models import ProviderHealth

# A breaker's counts are of a minute; what was written before that says nothing of now.
FRESH = timedelta(seconds=60)
_GRAVEST = (BreakerState.OPEN, BreakerState.PROBING, BreakerState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHealth:
    """One model's breaker, over all workers that ask it. ``calls`` and ``failures`` are of the last minute.

    ``limit`` of ``ceiling`` calls to the whole provider are allowed at a time; None while nobody asks it. ``left_s``
    are the seconds until an open breaker lets a probe through.
    """

    name: str
    provider: str
    provider_id: int
    simulated: bool
    state: BreakerState
    left_s: float
    calls: int
    failures: int
    last_failure: str
    limit: int | None
    ceiling: int
    waiting: int
    seen_at: datetime
    workers: int

    @property
    def is_lowered(self) -> bool:
        return self.limit is not None and self.limit < self.ceiling


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthTable:
    """``is_live``: somebody is asking now, so the figures change. ``is_shared``: workers tell each other."""

    models: tuple[ModelHealth, ...]
    is_live: bool
    is_shared: bool


def provider_health(*, now: datetime) -> HealthTable:
    """One query. The models that some worker has asked of late, those in trouble first."""
    by_provider: dict[int, list[ProviderHealth]] = {}
    for row in ProviderHealth.objects.select_related("provider").order_by("-seen_at", "pk"):
        by_provider.setdefault(row.provider_id, []).append(row)
    found = [model for own in by_provider.values() for model in _models(_current(own, now), now=now)]
    return HealthTable(
        models=tuple(sorted(found, key=lambda model: (_GRAVEST.index(model.state), model.provider, model.name))),
        is_live=any(now - model.seen_at < FRESH for model in found),
        is_shared=settings.SHARED_STATE_URL is not None,
    )


def _current(rows: Sequence[ProviderHealth], now: datetime) -> Sequence[ProviderHealth]:
    """What workers wrote that ask it now; where nobody does, what was written last."""
    return [row for row in rows if now - row.seen_at < FRESH] or rows[:1]


def _models(rows: Sequence[ProviderHealth], *, now: datetime) -> Iterator[ModelHealth]:
    seen: dict[str, list[tuple[ProviderHealth, Mapping[str, Any]]]] = {}
    for row in rows:
        for breaker in row.breakers:
            seen.setdefault(breaker["name"], []).append((row, breaker))
    for name, told in seen.items():
        yield _model(name, rows, told, now=now)


def _model(
    name: str,
    rows: Sequence[ProviderHealth],
    told: Sequence[tuple[ProviderHealth, Mapping[str, Any]]],
    *,
    now: datetime,
) -> ModelHealth:
    newest = rows[0]
    is_fresh = now - newest.seen_at < FRESH
    states = [_state(row, breaker, now=now) for row, breaker in told]
    state, left_s = min(states, key=lambda each: (_GRAVEST.index(each[0]), -each[1]))
    ceiling = sum(row.ceiling for row in rows)
    return ModelHealth(
        name=name,
        provider=newest.provider.name,
        provider_id=newest.provider_id,
        simulated=newest.provider.is_simulated,
        state=state,
        left_s=left_s,
        calls=sum(breaker["calls"] for _, breaker in told) if is_fresh else 0,
        failures=sum(breaker["failures"] for _, breaker in told) if is_fresh else 0,
        last_failure=next((breaker["last_failure"] for _, breaker in told if breaker["last_failure"]), ""),
        limit=sum(row.limit for row in rows) if is_fresh and ceiling else None,
        ceiling=ceiling,
        waiting=sum(row.waiting for row in rows),
        seen_at=newest.seen_at,
        workers=len(rows),
    )


def _state(row: ProviderHealth, breaker: Mapping[str, Any], *, now: datetime) -> tuple[BreakerState, float]:
    """The state now: once its pause is over, an open breaker lets the next call through as a probe."""
    state = BreakerState(breaker["state"])
    left_s = max(0.0, breaker["left_s"] - (now - row.seen_at).total_seconds())
    return (BreakerState.PROBING, 0.0) if state is BreakerState.OPEN and not left_s else (state, left_s)
