"""How much a run's next step can cost at most, known before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from django.db.models import Avg
from django.db.models.functions import Length

from evaluation.execution.plan import PlannedArm, PlannedModel
from evaluation.models import DatasetVersion
from panels.fusion.arbiter import worst_body_bytes
from panels.fusion.pricing import Price, worst_case_cost
from panels.fusion.types import AnswerKind, Member, Message, Question

LIVE_BATCH = 25
REPLAY_BATCH = 250
# An arbiter whose analysis cannot be read is asked once more.
ARBITER_QUESTIONS = 2
# A batch is the step in which a run approaches its cap; smaller steps stop closer to it.
_BATCH_SHARE_OF_CAP = 20
_ENVELOPE_BYTES = 200


def batch_size(*, asks: bool, cap_nanousd: int | None, example_nanousd: int) -> int:
    """Examples per batch: so few that one batch's worst case is at most about a twentieth of the cap.

    ``asks`` is whether providers are asked anything at all.
    """
    if not asks:
        return REPLAY_BATCH
    if cap_nanousd is None or example_nanousd <= 0:
        return LIVE_BATCH
    return max(1, min(LIVE_BATCH, cap_nanousd // (_BATCH_SHARE_OF_CAP * example_nanousd)))


def arbiter_worst_nanousd(arm: PlannedArm, question: Question, models: Mapping[str, PlannedModel]) -> int | None:
    """The most that one question to the arm's arbiter can cost; 0 if it has none, None if its price is not known."""
    if arm.arbiter is None:
        return 0
    return _arbiter_worst(arm, question, models[arm.arbiter.model].price)


def example_worst_nanousd(
    *, version: DatasetVersion, arms: tuple[PlannedArm, ...], prices: dict[str, Price | None], replays: bool
) -> int:
    """The worst case of one example of middling length, nano-dollars; models of unknown price count nothing."""
    lengths = version.examples.aggregate(prompt=Avg(Length("prompt")), context=Avg(Length("context")))
    body_bytes = int(lengths["prompt"] or 0) + _ENVELOPE_BYTES
    middling = _question_of_length(version, prompt=int(lengths["prompt"] or 0), context=int(lengths["context"] or 0))
    members = () if replays else (_seat_worst(member, prices, body_bytes) for member, _ in _distinct_seats(arms))
    return sum(chain(members, _arbiters_worst(arms, middling, prices)))


def _question_of_length(version: DatasetVersion, *, prompt: int, context: int) -> Question:
    return Question(
        item_id="",
        messages=(Message(role="user", content="x" * prompt),),
        kind=AnswerKind(version.answer_kind),
        evidence="x" * context,
    )


def _arbiters_worst(arms: tuple[PlannedArm, ...], question: Question, prices: dict[str, Price | None]) -> Iterable[int]:
    return (
        ARBITER_QUESTIONS * (_arbiter_worst(arm, question, prices[arm.arbiter.model]) or 0)
        for arm in arms
        if arm.arbiter is not None
    )


def _arbiter_worst(arm: PlannedArm, question: Question, price: Price | None) -> int | None:
    if price is None or arm.arbiter is None:
        return None
    body_bytes = worst_body_bytes(question, arm.panel)
    return worst_case_cost(price, body_bytes=body_bytes, max_tokens=arm.arbiter.sampling.max_tokens)


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
