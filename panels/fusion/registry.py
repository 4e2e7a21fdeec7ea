"""What a process knows of the providers it asks, shared by everything in it that asks them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import NamedTuple, Protocol

from panels.fusion.breaker import Breaker, BreakerReading, BreakerRules, Outage
from panels.fusion.limits import AdaptiveLimit, LimitReading
from panels.fusion.resilience import ResilientClient
from panels.fusion.types import ModelClient


class ModelKey(NamedTuple):
    """A model as every process names it: the provider's slug and the provider's own model id."""

    provider: str
    name: str


class SharedState(Protocol):
    """How processes tell each other. Nothing here waits but ``claim_probe``, which is asked once an outage at most.

    Where the others cannot be reached it says nothing and every process goes by what it sees itself.
    """

    def attach(self, registry: Registry) -> None: ...

    def tell_outage(self, key: ModelKey, outage: Outage | None) -> None: ...

    def tell_cut(self, provider: str) -> None: ...

    async def claim_probe(self, key: ModelKey) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything at one moment, in the order of names."""

    models: tuple[tuple[ModelKey, BreakerReading], ...]
    limits: tuple[tuple[str, LimitReading], ...]


class Registry:
    """Breakers by model and limits by provider. One a process; tests make their own."""

    def __init__(
        self,
        *,
        shared: SharedState | None = None,
        now: Callable[[], float] = monotonic,
        rules: BreakerRules | None = None,
    ) -> None:
        self._shared = shared
        self._now = now
        self._rules = rules
        self._lock = threading.Lock()
        self._breakers: dict[ModelKey, Breaker] = {}
        self._limits: dict[str, AdaptiveLimit] = {}
        if shared is not None:
            shared.attach(self)

    def breaker(self, key: ModelKey) -> Breaker:
        with self._lock:
            if key not in self._breakers:
                self._breakers[key] = Breaker(now=self._now, rules=self._rules, on_change=self._outage_teller(key))
            return self._breakers[key]

    def limit(self, provider: str) -> AdaptiveLimit:
        with self._lock:
            if provider not in self._limits:
                self._limits[provider] = AdaptiveLimit(now=self._now, on_cut=self._cut_teller(provider))
            return self._limits[provider]

    def wrap(self, client: ModelClient, key: ModelKey, *, patience_s: float = 0.0) -> ResilientClient:
        """The client behind this process's breaker for the model and limit for the provider."""
        resilient = ResilientClient(
            inner=client,
            breaker=self.breaker(key),
            limit=self.limit(key.provider),
            patience_s=patience_s,
            now=self._now,
        )
        if self._shared is None:
            return resilient
        return replace(resilient, claim_probe=partial(self._shared.claim_probe, key))

    def breakers(self) -> dict[ModelKey, Breaker]:
        with self._lock:
            return dict(self._breakers)

    def limits(self) -> dict[str, AdaptiveLimit]:
        with self._lock:
            return dict(self._limits)

    def health(self) -> Health:
        breakers, limits = self.breakers(), self.limits()
        return Health(
            models=tuple((key, breakers[key].reading()) for key in sorted(breakers)),
            limits=tuple((provider, limits[provider].reading()) for provider in sorted(limits)),
        )

    def _outage_teller(self, key: ModelKey) -> Callable[[Outage | None], object] | None:
        return None if self._shared is None else partial(self._shared.tell_outage, key)

    def _cut_teller(self, provider: str) -> Callable[[], object] | None:
        return None if self._shared is None else partial(self._shared.tell_cut, provider)
