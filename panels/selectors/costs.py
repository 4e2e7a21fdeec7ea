"""What one request to a panel version calls and costs at list price, at least and at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from panels.fusion.pricing import Price, call_cost
from panels.fusion.types import ArbiterWhen, StrategyName, Usage
from panels.fusion.weights import OPEN_CHOICES, skill_weight
from panels.models import LanguageModel
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec

REQUESTS = 1_000
_CHOICES = (2, 4, OPEN_CHOICES)

_Call = tuple[int, Usage]  # inventory key, and the tokens of REQUESTS such calls


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
    """At least the first stage is called, at most every stage and the arbiter. ``models`` has every model of the spec.

    The arbiter reads what was sent and every member's reply, and writes as much as a member.
    """
    stages = [stage.members for stage in spec.stages]
    first = stages[0] if spec.stop_at is not None else spec.members
    least = [_member_call(member, tokens) for member in first]
    most = [_member_call(member, tokens) for member in spec.members]
    if spec.arbiter is not None:
        most.append(_arbiter_call(spec.arbiter, tokens, read=len(spec.members)))
        if _always_asks(spec):
            least.append(_arbiter_call(spec.arbiter, tokens, read=len(first)))
    return RequestCost(
        least_calls=len(least),
        most_calls=len(most),
        least_nanousd=_cost(least, models),
        most_nanousd=_cost(most, models),
        unpriced=tuple(dict.fromkeys(models[key].name for key, _ in most if not models[key].has_price)),
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


def _always_asks(spec: PanelSpec) -> bool:
    """Automatic may find that a vote is all it takes."""
    asked = spec.arbiter is not None and spec.arbiter.when is ArbiterWhen.ALWAYS
    return asked and spec.strategy is not StrategyName.AUTO


def _member_call(member: MemberSpec, tokens: Tokens) -> _Call:
    return member.model_id, _usage(sent=tokens.sent, received=min(tokens.received, member.sampling.max_tokens))


def _arbiter_call(arbiter: ArbiterSpec, tokens: Tokens, *, read: int) -> _Call:
    sent = tokens.sent + read * tokens.received
    return arbiter.model_id, _usage(sent=sent, received=min(tokens.received, arbiter.sampling.max_tokens))


def _usage(*, sent: int, received: int) -> Usage:
    return Usage(prompt_tokens=sent * REQUESTS, completion_tokens=received * REQUESTS)


def _cost(calls: Sequence[_Call], models: Mapping[int, LanguageModel]) -> int | None:
    costs = [call_cost(_price(models[key]), usage) for key, usage in calls]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _price(model: LanguageModel) -> Price | None:
    return Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok)
