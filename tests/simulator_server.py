"""The simulator over a real loopback socket, in a thread of the test's own process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from panels.simulator.answer_key import KeyItem
from panels.simulator.app import Simulator
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chat import Settings
from panels.simulator.ledger import Ledger
from panels.simulator.model import SimulatedModel

_START_AND_STOP_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorServer:
    """Where it listens, and what it was asked. ``base_url`` is what an OpenAI client takes."""

    base_url: str
    origin: str
    ledger: Ledger


@contextmanager
def serve_app(app: Callable[..., Any]) -> Iterator[str]:
    """Serve any ASGI application on a free port; gives its origin."""
    # Named, the protocol lets asyncio send at once: waiting for acknowledgements costs 40 ms a reply.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            # The socket listens already: a request made before the loop runs waits in its backlog.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_START_AND_STOP_S)


@contextmanager
def serve_simulator(
    *,
    answer_key: Mapping[bytes, KeyItem] | None = None,
    catalogue: Mapping[str, SimulatedModel] = CATALOGUE,
    seed: int = 0,
    latency_ms: float | None = 0,
    faults: bool = True,
) -> Iterator[SimulatorServer]:
    """``latency_ms`` None keeps the latencies of the models."""
    latency_s = None if latency_ms is None else latency_ms / 1000
    settings = Settings(seed=seed, latency_s=latency_s, faults=faults)
    simulator = Simulator(answer_key=answer_key or {}, settings=settings, catalogue=catalogue)
    with serve_app(simulator) as origin:
        yield SimulatorServer(base_url=f"{origin}/v1", origin=origin, ledger=simulator.ledger)
