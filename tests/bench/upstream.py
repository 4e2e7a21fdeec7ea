"""The simulated providers as a process of their own, on a free loopback port."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 20
_END_S = 10


@contextmanager
def serve_upstream(*, latency_ms: float, answers: Path) -> Iterator[str]:
    """Every call takes ``latency_ms`` and none fails; gives the base URL a client takes. Ended with the block."""
    port = _free_port()
    command = [sys.executable, "-m", "panels.simulator", "--port", str(port), "--latency-ms", str(latency_ms)]
    process = subprocess.Popen([*command, "--no-faults", "--answers", str(answers)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("The simulated providers did not start.")
