"""What one request to a panel version calls and costs at list price, at least and at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from panels.fusion.pricing import Price, call_cost
from panels.fusion.types import StrategyName, Usage
from panels.fusion.weights import OPEN_CHOICES, skill_weight
from panels.models import LanguageModel
from panels.specs import MemberSpec, PanelSpec

REQUESTS = 1_000
_CHOICES = (2, 4, OPEN_CHOICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of one call: what is sent, and what comes back unless a member's longest output is shorter."""

    sent: int = 500
    received: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCost:
    """Costs are nano-dollars per 1,000 requests; None where the price of a member in ``unpriced`` is unknown."""

    least_calls: int
    most_calls: int
    least_nanousd: int | None
    most_nanousd: int | None
    unpriced: tuple[str, ...]
    tokens: Tokens

    @property
    def is_range(self) -> bool:
        return self.least_calls != self.most_calls


def request_cost(spec: PanelSpec, *, models: Mapping[int, LanguageModel], tokens: Tokens) -> RequestCost:
    """At least the first stage is called, at most every stage. ``models`` has every model of the spec."""
    stages = [stage.members for stage in spec.stages]
    first = stages[0] if spec.stop_at is not None else spec.members
    return RequestCost(
        least_calls=len(first),
        most_calls=len(spec.members),
        least_nanousd=_cost(first, models, tokens),
        most_nanousd=_cost(spec.members, models, tokens),
        unpriced=tuple(dict.fromkeys(_unpriced(spec.members, models))),
        tokens=tokens,
    )


def decides_as_majority(spec: PanelSpec) -> bool:
    """True where a weighted vote of exactly three, at the end of some stage, goes to any two who agree.

    Then no member outweighs the two others, and the vote differs from majority only when all three differ.
    """
    if spec.strategy is not StrategyName.WEIGHTED:
        return False
    voting = spec.stages[:-1] if spec.stages[-1].settles else spec.stages  # a stage that settles decides alone
    sizes = accumulate(len(stage.members) for stage in voting)
    return 3 in sizes and all(_is_balanced(_weights(spec.members[:3], choices)) for choices in _CHOICES)


def _weights(members: Sequence[MemberSpec], choices: int) -> list[float]:
    return [
        member.weight if member.skill is None else skill_weight(member.skill, choices=choices) for member in members
    ]


def _is_balanced(weights: Sequence[float]) -> bool:
    return max(weights) < sum(weights) - max(weights)


def _cost(members: Sequence[MemberSpec], models: Mapping[int, LanguageModel], tokens: Tokens) -> int | None:
    costs = [_member_cost(member, models[member.model_id], tokens) for member in members]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _member_cost(member: MemberSpec, model: LanguageModel, tokens: Tokens) -> int | None:
    received = min(tokens.received, member.sampling.max_tokens)
    usage = Usage(prompt_tokens=tokens.sent * REQUESTS, completion_tokens=received * REQUESTS)
    return call_cost(Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok), usage)


def _unpriced(members: Sequence[MemberSpec], models: Mapping[int, LanguageModel]) -> list[str]:
    return [models[member.model_id].name for member in members if not models[member.model_id].has_price]
