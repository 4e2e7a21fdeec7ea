from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from evaluation.sample.pilot import LOGINS, PASSWORD, load_pilot, run_pilot
from evaluation.sample.real_providers import offer_real_providers
from evaluation.sample.review import offer_review


class Command(BaseCommand):
    help = (
        "Brings three sample workflows, simulated models and sample logins, runs the first experiment, and opens a "
        "review session over it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = os.environ.get("QUORUM_SIMULATOR_PORT", "8765")
        parser.add_argument(
            "--simulator", default=f"http://127.0.0.1:{port}/v1", help="where the simulated providers answer"
        )

    def handle(self, *, simulator: str, **_: Any) -> None:
        run_pilot(load_pilot(simulator_url=simulator, clock=timezone.now), clock=timezone.now)
        offer_review(now=timezone.now())
        for line in offer_real_providers(environ=os.environ, clock=timezone.now):
            self.stdout.write(line)
        for name, group in LOGINS.items():
            self.stdout.write(f"Sample login: {name} / {PASSWORD} ({group or 'administrator'})")
