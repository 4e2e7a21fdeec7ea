"""How much a run's next step can cost at most, known before anything is asked."""

from __future__ import annotations

from django.db.models import Avg
from django.db.models.functions import Length

from evaluation.execution.plan import PlannedArm
from evaluation.models import DatasetVersion
from panels.fusion.pricing import Price, worst_case_cost
from panels.fusion.types import Member

LIVE_BATCH = 25
REPLAY_BATCH = 250
# A batch is the step in which a run approaches its cap; smaller steps stop closer to it.
_BATCH_SHARE_OF_CAP = 20
_ENVELOPE_BYTES = 200


def batch_size(*, replays: bool, cap_nanousd: int | None, example_nanousd: int) -> int:
    """Examples per batch: so few that one batch's worst case is at most about a twentieth of the cap."""
    if replays:
        return REPLAY_BATCH
    if cap_nanousd is None or example_nanousd <= 0:
        return LIVE_BATCH
    return max(1, min(LIVE_BATCH, cap_nanousd // (_BATCH_SHARE_OF_CAP * example_nanousd)))


def example_worst_nanousd(
    *, version: DatasetVersion, arms: tuple[PlannedArm, ...], prices: dict[str, Price | None]
) -> int:
    """The worst case of one example of middling length, nano-dollars; members of unknown price count nothing."""
    length = version.examples.aggregate(mean=Avg(Length("prompt")))["mean"] or 0
    body_bytes = int(length) + _ENVELOPE_BYTES
    return sum(_seat_worst(member, prices, body_bytes) for member, _ in _distinct_seats(arms))


def _distinct_seats(arms: tuple[PlannedArm, ...]) -> set[tuple[Member, int]]:
    """Seats that are asked separately: arms share what they have in common, twins are separate replies."""
    shared = {
        (member.model, member.sampling, twin): (member, twin)
        for arm in arms
        for member, twin in zip(arm.panel.members, arm.twins, strict=True)
    }
    return set(shared.values())


def _seat_worst(member: Member, prices: dict[str, Price | None], body_bytes: int) -> int:
    price = prices[member.model]
    if price is None:
        return 0
    return worst_case_cost(price, body_bytes=body_bytes, max_tokens=member.sampling.max_tokens)
