"""``python -m panels.simulator --answers FILE…``: the simulated providers as a server of their own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from panels.simulator.answer_key import BadAnswerKey, load_answer_key
from panels.simulator.app import Simulator
from panels.simulator.chat import Settings


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m panels.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--answers", type=Path, nargs="*", default=[], metavar="FILE", help="datasets (JSONL, .gz)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same replies")
    parser.add_argument("--latency-ms", type=float, default=None, metavar="N", help="the latency of every call")
    parser.add_argument("--no-faults", dest="faults", action="store_false", help="answer every request")
    return parser.parse_args(arguments)


def build_simulator(arguments: argparse.Namespace) -> Simulator:
    """Raises BadAnswerKey, OSError."""
    latency_s = None if arguments.latency_ms is None else arguments.latency_ms / 1000
    settings = Settings(seed=arguments.seed, latency_s=latency_s, faults=arguments.faults)
    return Simulator(answer_key=load_answer_key(arguments.answers), settings=settings)


def main(arguments: Sequence[str]) -> int:
    parsed = read_arguments(arguments)
    try:
        simulator = build_simulator(parsed)
    except (BadAnswerKey, OSError) as error:
        sys.stderr.write(f"The simulator cannot start: {error}\n")
        return 2
    sys.stderr.write(f"Simulated providers on http://{parsed.host}:{parsed.port}/v1\n")
    uvicorn.run(simulator, host=parsed.host, port=parsed.port, log_level="warning", access_log=False, lifespan="off")
    return 0


if __name__ == "__main__":  # pragma: no cover - tested as a process of its own
    sys.exit(main(sys.argv[1:]))
