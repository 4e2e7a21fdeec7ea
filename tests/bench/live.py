"""What the two benches of the runner have in common: a dataset and models that are asked for real."""

from __future__ import annotations

from pathlib import Path

from django.utils import timezone

from evaluation.models import Run
from panels.fusion.pricing import nanousd_from_dollars
from panels.models import LanguageModel, Provider
from panels.simulator.catalogue import MODELS
from tests.bench.synthetic import ArmPlan, import_dataset, start_comparison, write_items
from tests.factories import make_contract, may_be_used

EXAMPLES = 1_000
CONCURRENCY = 100
ARMS = (
    ArmPlan(name="single", stages=(("sim-atlas-large",),)),
    ArmPlan(name="panel", stages=(("sim-atlas-small", "sim-beacon-lite", "sim-cobalt-medium"),)),
)
CALLS = EXAMPLES * sum(len(stage) for arm in ARMS for stage in arm.stages)


def write_questions(folder: Path, *, seed: int) -> Path:
    return write_items(folder / f"questions-{seed}.jsonl.gz", count=EXAMPLES, seed=seed)


def start_live(items: Path, *, base_url: str) -> Run:
    """A queued run over the items whose members the simulator at ``base_url`` answers for."""
    point_models(base_url)
    version = import_dataset(items.stem, items=items)
    return start_comparison(version, title=items.stem, arms=ARMS, concurrency=CONCURRENCY)


def point_models(base_url: str) -> None:
    """The simulated models, as rows of the inventory whose provider answers there."""
    now = timezone.now()
    provider, _ = Provider.objects.update_or_create(
        slug="simulated",
        defaults={"base_url": base_url},
        create_defaults={
            "name": "Simulated models",
            "kind": Provider.Kind.SIMULATED,
            "base_url": base_url,
            "created_at": now,
        },
    )
    if not provider.contracts.exists():
        make_contract(provider)
    for model in MODELS:
        LanguageModel.objects.get_or_create(
            provider=provider,
            name=model.id,
            defaults={
                "price_in_nanousd_per_mtok": nanousd_from_dollars(model.price_in),
                "price_out_nanousd_per_mtok": nanousd_from_dollars(model.price_out),
                "created_at": now,
                "status": LanguageModel.Status.APPROVED,
                **may_be_used(),
            },
        )
