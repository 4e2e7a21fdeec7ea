"""Runs whose members never agree, so that an arbiter is asked about every example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluation.execution.shift import Pace
from evaluation.execution.work import work_run
from evaluation.models import DatasetVersion, Run
from panels.fusion.types import Failure, ModelRequest, Reply, StrategyName
from panels.models import PanelVersion
from tests.factories import make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.execution.scripted_arbiter import is_arbiter, verdict
from tests.integration.evaluation.execution.scripted_clients import Clock, ScriptedProviders, reply

PACE = Pace(pulse_s=0.02, flush_s=0.005)
EXAMPLES = 4


class Models:
    """Two members that never agree, the first of them right, and two arbiters."""

    def __init__(self) -> None:
        self.right, self.wrong, self.arbiter, self.other_arbiter = (make_model() for _ in range(4))

    def panel(self, **fields: Any) -> PanelVersion:
        defaults: dict[str, Any] = {"strategy": StrategyName.VERIFICATION, "arbiter": self.arbiter}
        return make_panel_version([[self.right, self.wrong]], **(defaults | fields))

    def says(self, request: ModelRequest) -> Reply | Failure:
        if is_arbiter(request):
            return verdict(request, supported="A")
        return reply("A" if request.model == str(self.right.pk) else "B")

    def providers(self, arbiter: Callable[[ModelRequest], Reply | Failure] | None = None) -> ScriptedProviders:
        """``arbiter`` answers for the arbiters."""
        if arbiter is None:
            return ScriptedProviders(answer=self.says)
        return ScriptedProviders(answer=lambda asked: arbiter(asked) if is_arbiter(asked) else self.says(asked))


def run_of(*panels: PanelVersion, version: DatasetVersion | None = None, **fields: Any) -> Run:
    version = version or make_dataset_version(examples=EXAMPLES)
    return make_run(make_experiment(panels, version=version), **fields)


def work(run: Run, providers: ScriptedProviders, **options: Any) -> None:
    settings: dict[str, Any] = {"worker": "w", "clock": Clock(), "pace": PACE} | options
    work_run(run_id=run.pk, clients_for=providers.clients_for, **settings)
    run.refresh_from_db()
