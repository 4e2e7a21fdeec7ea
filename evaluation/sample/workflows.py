"""What the sample pilot consists of. Companies, products and models are invented."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from panels.fusion.types import AnswerKind, StrategyName

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStage:
    models: tuple[str, ...]
    settles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePanel:
    """A panel of simulated models, and the name of its arm. An ``arbiter`` is asked every time."""

    name: str
    description: str
    stages: tuple[SampleStage, ...]
    strategy: StrategyName = StrategyName.MAJORITY
    stop_at: float | None = None
    weights: tuple[float, ...] = ()
    arbiter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleWorkflow:
    """A workflow with its dataset, what the team uses today, and what is compared with it."""

    slug: str
    name: str
    description: str
    data_class: str
    target_accuracy: float
    target_p95_ms: int
    target_cost_change: float
    kind: AnswerKind
    scorer: str
    baseline: SamplePanel
    candidates: tuple[SamplePanel, ...]
    allowed_regions: tuple[str, ...] = ()
    max_retention_days: int | None = None

    @property
    def items(self) -> Path:
        return FOLDER / f"{self.slug.replace('-', '_')}.jsonl"

    @property
    def experiment_title(self) -> str:
        return f"{self.name}: panel against the current model"


def _single(name: str, model: str) -> SamplePanel:
    return SamplePanel(name=name, description=f"{model} alone", stages=(SampleStage(models=(model,)),))


SALES = SampleWorkflow(
    slug="sales-assistant",
    name="Sales assistant",
    description="Answers shoppers' questions from product notes of an outdoor and workshop retailer.",
    data_class="public",
    target_accuracy=0.85,
    target_p95_ms=2500,
    target_cost_change=-0.25,
    kind=AnswerKind.SHORT,
    scorer="short_f1",
    baseline=_single("Current model", "sim-atlas-large"),
    candidates=(
        SamplePanel(
            name="Staged panel",
            description="Two cheap models; where they differ, a strong one settles it.",
            stages=(
                SampleStage(models=("sim-cobalt-medium", "sim-atlas-small")),
                SampleStage(models=("sim-beacon-pro",), settles=True),
            ),
            stop_at=1.0,
        ),
        SamplePanel(
            name="Staged panel with a reasoner",
            description="The same two cheap models; a slow and dear reasoner settles what they dispute.",
            stages=(
                SampleStage(models=("sim-cobalt-medium", "sim-atlas-small")),
                SampleStage(models=("sim-fathom-reasoner",), settles=True),
            ),
            stop_at=1.0,
        ),
        _single("Best cheap member", "sim-cobalt-medium"),
    ),
)

SUPPORT = SampleWorkflow(
    slug="customer-support",
    name="Customer support",
    description="Sorts messages to the support desk of an internet provider into eight queues.",
    data_class="personal",
    allowed_regions=("eu",),
    max_retention_days=30,
    target_accuracy=0.85,
    target_p95_ms=1500,
    target_cost_change=-0.25,
    kind=AnswerKind.LABEL,
    scorer="exact",
    baseline=_single("Current model", "sim-atlas-large"),
    candidates=(
        SamplePanel(
            name="Majority of three",
            description="Three cheap models of different houses vote.",
            stages=(SampleStage(models=("sim-cobalt-medium", "sim-ember-open", "sim-beacon-lite")),),
        ),
        SamplePanel(
            name="Weighted five",
            description="Five models, the stronger ones with more weight.",
            stages=(
                SampleStage(
                    models=(
                        "sim-beacon-pro", "sim-cobalt-medium", "sim-ember-open", "sim-beacon-lite", "sim-drift-mini",
                    )
                ),
            ),
            strategy=StrategyName.WEIGHTED,
            weights=(3.4, 3.1, 3.0, 3.0, 2.6),
        ),
    ),
)  # fmt: skip

_SUMMARISERS = SampleStage(models=("sim-beacon-pro", "sim-cobalt-medium", "sim-atlas-small"))

SUMMARY = SampleWorkflow(
    slug="content-summary",
    name="Content summary",
    description="Summarises short texts in two sentences that state every key fact.",
    data_class="internal",
    target_accuracy=0.7,
    target_p95_ms=3000,
    target_cost_change=-0.25,
    kind=AnswerKind.TEXT,
    scorer="key_facts",
    baseline=_single("Current model", "sim-atlas-large"),
    candidates=(
        SamplePanel(
            name="Medoid of three",
            description="Three summaries are written; the one closest to the others is taken.",
            stages=(_SUMMARISERS,),
        ),
        SamplePanel(
            name="Synthesis of three",
            description="An arbiter reads the three summaries, lists where they agree and differ, and writes one.",
            stages=(_SUMMARISERS,),
            strategy=StrategyName.SYNTHESIS,
            arbiter="sim-gauge-arbiter",
        ),
        SamplePanel(
            name="Verified three",
            description="An arbiter checks the three summaries claim by claim; what is not supported stays out.",
            stages=(_SUMMARISERS,),
            strategy=StrategyName.VERIFICATION,
            arbiter="sim-gauge-arbiter",
        ),
        _single("Arbiter alone", "sim-gauge-arbiter"),
    ),
)

WORKFLOWS = (SALES, SUPPORT, SUMMARY)
