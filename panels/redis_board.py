"""What the worker processes tell each other of their providers, through Redis where there is one.

Shared are outages (who opened a breaker, for how long, and who may probe) and that a provider said 429. Everything is a
short-lived key; nothing here has to be kept. A thread of its own talks to Redis, once a second and when there is news,
so a call waits for it only before a probe. While Redis cannot be reached, every process goes by what it sees itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from time import monotonic

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from panels.fusion.breaker import Breaker, Outage
from panels.fusion.limits import BURST_S, AdaptiveLimit
from panels.fusion.registry import ModelKey, Registry

logger = logging.getLogger(__name__)

REFRESH_S = 1.0
_TIMEOUT_S = 1.0
# An outage is remembered for so long after its pause, in case nobody asks the model in between.
_GRACE_S = 600.0
# A probe whose process died is free again after this; a call takes at most a minute.
_PROBE_S = 65.0
_CUTS_KEPT_S = 3600
# The probe is claimed only when the pause is over for all, and by one process; that process may claim it again.
_CLAIM = """
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then return 0 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""

_Job = Callable[[], object]


class RedisBoard:
    """The ``SharedState`` of a registry, in Redis at ``url``. Works while it is ``running``.

    ``refresh_s`` is how often it listens; ``linger_s`` how long its thread stays when nobody needs it, since a process
    that answers requests needs it again soon.
    """

    def __init__(
        self, url: str, *, prefix: str = "quorum:providers:", refresh_s: float = REFRESH_S, linger_s: float = 5.0
    ) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._claim = self._redis.register_script(_CLAIM)
        self._prefix = prefix
        self._refresh_s = refresh_s
        self._linger_s = linger_s
        self._idle_since: float | None = None
        self._token = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._registry: Registry | None = None
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._cuts_seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self._users = 0
        self._thread: threading.Thread | None = None
        self._reachable = True

    def attach(self, registry: Registry) -> None:
        self._registry = registry

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listens and tells for as long as somebody asks providers; may be entered several times."""
        with self._lock:
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="shared provider state", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            # The thread is not waited for: this may be an event loop.
            with self._lock:
                self._users -= 1

    def tell_outage(self, key: ModelKey, outage: Outage | None) -> None:
        self._jobs.put(partial(self._tell_outage, key, outage, monotonic()))

    def tell_cut(self, provider: str) -> None:
        self._jobs.put(partial(self._tell_cut, provider))

    async def claim_probe(self, key: ModelKey) -> bool:
        """Whether the probe is ours; it is, where there is nobody to ask."""
        if not self._users or not self._reachable:
            return True
        answer: Future[bool] = Future()
        self._jobs.put(partial(self._answer_claim, key, answer))
        return await asyncio.wrap_future(answer)

    # From here on everything runs on the thread.

    def _work(self) -> None:
        refresh_at = monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=max(0.0, refresh_at - monotonic()))
            except queue.Empty:
                job = self._refresh
                refresh_at = monotonic() + self._refresh_s
            self._attempt(job)
            if self._may_end():
                return

    def _may_end(self) -> bool:
        with self._lock:
            if self._users:
                self._idle_since = None
                return False
            self._idle_since = self._idle_since or monotonic()
            if monotonic() - self._idle_since < self._linger_s:
                return False
            self._redis.close()
            self._thread = None
            return True

    def _attempt(self, job: _Job) -> None:
        try:
            job()
        except redis.RedisError as error:
            if self._reachable:
                logger.warning("Redis cannot be reached, so breakers and limits are not shared for now: %s", error)
            self._reachable = False
        except Exception:
            logger.exception("the shared state of providers could not be kept up to date")
        else:
            # With nobody there, Redis was not asked.
            self._reachable = self._reachable or self._users > 0

    def _tell_outage(self, key: ModelKey, outage: Outage | None, at: float) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            if outage is None:
                pipe.delete(self._outage(key), self._probe(key))
            else:
                left_s = max(0.0, outage.left_s - (monotonic() - at))
                pipe.set(self._outage(key), repr(outage.pause_s), px=round((left_s + _GRACE_S) * 1000))
                pipe.delete(self._probe(key))
            pipe.execute()

    def _tell_cut(self, provider: str) -> None:
        # Others were told of the same burst by whoever came first.
        if self._redis.set(self._key("burst", provider), self._token, nx=True, px=round(BURST_S * 1000)):
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.incr(self._key("cuts", provider))
                pipe.expire(self._key("cuts", provider), _CUTS_KEPT_S)
                self._cuts_seen[provider] = int(pipe.execute()[0])

    def _answer_claim(self, key: ModelKey, answer: Future[bool]) -> None:
        mine = True
        try:
            arguments: list[str | int] = [self._token, round(_PROBE_S * 1000), round(_GRACE_S * 1000)]
            mine = bool(self._claim(keys=[self._outage(key), self._probe(key)], args=arguments))
        finally:
            if answer.set_running_or_notify_cancel():
                answer.set_result(mine)

    def _refresh(self) -> None:
        registry = self._registry
        if registry is None or not self._users:
            return
        breakers, limits = registry.breakers(), registry.limits()
        eras = {key: breaker.era for key, breaker in breakers.items()}
        # Before we hear what others know, they have to know what we do.
        self._tell_waiting(breakers)
        with self._redis.pipeline(transaction=False) as pipe:
            for key in breakers:
                pipe.get(self._outage(key))
                pipe.pttl(self._outage(key))
            for provider in limits:
                pipe.get(self._key("cuts", provider))
            heard = pipe.execute()
        for place, (key, breaker) in enumerate(breakers.items()):
            breaker.adopt(_outage_of(*heard[2 * place : 2 * place + 2]), era=eras[key])
        self._adopt_cuts(limits, heard[2 * len(breakers) :])

    def _tell_waiting(self, breakers: Mapping[ModelKey, Breaker]) -> None:
        for _ in range(self._jobs.qsize()):
            self._jobs.get_nowait()()
        if not self._reachable:
            for key, breaker in breakers.items():
                if outage := breaker.outage():
                    self._tell_outage(key, outage, monotonic())

    def _adopt_cuts(self, limits: Mapping[str, AdaptiveLimit], heard: Sequence[bytes | None]) -> None:
        for provider, cuts in zip(limits, heard, strict=True):
            number = int(cuts or 0)
            if number > self._cuts_seen.get(provider, number):
                limits[provider].adopt_cut()
            self._cuts_seen[provider] = number

    def _outage(self, key: ModelKey) -> str:
        return self._key("outage", *key)

    def _probe(self, key: ModelKey) -> str:
        return self._key("probe", *key)

    def _key(self, *parts: str) -> str:
        return self._prefix + ":".join(parts)


def _outage_of(pause_s: bytes | None, left_ms: int) -> Outage | None:
    if pause_s is None:
        return None
    return Outage(left_s=max(0.0, left_ms / 1000 - _GRACE_S), pause_s=float(pause_s))
