"""``python -m panels.simulator --answers FILE…``: the simulated providers as a server of their own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from panels.simulator.answer_key import BadAnswerKey, load_answer_key
from panels.simulator.app import Simulator
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chaos import BadFaultRate, parse_fault_rates, with_fault_rates
from panels.simulator.chat import Settings

# The demo starts the simulator for its user, who cannot pass options through it.
FAULTS_VARIABLE = "QUORUM_SIMULATOR_FAULTS"


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m panels.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--answers", type=Path, nargs="*", default=[], metavar="FILE", help="datasets (JSONL, .gz)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same replies")
    parser.add_argument("--latency-ms", type=float, default=None, metavar="N", help="the latency of every call")
    parser.add_argument("--no-faults", dest="faults", action="store_false", help="answer every request")
    parser.add_argument(
        "--fault",
        dest="fault_rates",
        action="append",
        metavar="NAME=RATE",
        help=f"a fault for every model at this rate; may be given often; without it {FAULTS_VARIABLE} is read",
    )
    return parser.parse_args(arguments)


def build_simulator(arguments: argparse.Namespace) -> Simulator:
    """Raises BadAnswerKey, BadFaultRate, OSError."""
    rates = parse_fault_rates(arguments.fault_rates or [os.environ.get(FAULTS_VARIABLE, "")])
    latency_s = None if arguments.latency_ms is None else arguments.latency_ms / 1000
    settings = Settings(seed=arguments.seed, latency_s=latency_s, faults=arguments.faults)
    return Simulator(
        answer_key=load_answer_key(arguments.answers), settings=settings, catalogue=with_fault_rates(CATALOGUE, rates)
    )


# As long as providers keep a connection: one closed in the moment of its next use is a fault that nobody planted.
_KEEP_ALIVE_S = 75


def main(arguments: Sequence[str]) -> int:
    parsed = read_arguments(arguments)
    try:
        simulator = build_simulator(parsed)
    except (BadAnswerKey, BadFaultRate, OSError) as error:
        sys.stderr.write(f"The simulator cannot start: {error}\n")
        return 2
    sys.stderr.write(f"Simulated providers on http://{parsed.host}:{parsed.port}/v1\n")
    uvicorn.run(
        simulator,
        host=parsed.host,
        port=parsed.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    return 0


if __name__ == "__main__":  # pragma: no cover - tested as a process of its own
    sys.exit(main(sys.argv[1:]))
