"""What each attempt of a request cost. Lines are integer nano-dollars, so that they add up to the total exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from panels.fusion.outcomes import ArbiterCall, Fused, MemberCall
from panels.fusion.pricing import Price, call_cost
from panels.fusion.retry import attempts_of, may_be_billed
from panels.fusion.types import Failure, FailureKind, Reply

# Sent, but not waited for: the provider may have done, and billed, the whole work.
_UNHEARD = frozenset({FailureKind.CANCELLED, FailureKind.DEADLINE, FailureKind.LATE})


class Role(StrEnum):
    """For whom a request was made."""

    MEMBER = "member"
    ARBITER = "arbiter"


class Basis(StrEnum):
    """Where the figure of a line comes from.

    ``LISTED``: tokens at list price. ``REPORTED``: the provider's own figure. ``NOTHING``: it failed before any work
    was billed. ``REUSED``: bought earlier. ``WORST_CASE``: it may have been billed, nobody said how much, so the worst
    case counts. ``RESERVED``: under way, at its worst case. ``UNKNOWN``: there is no figure.
    """

    LISTED = "listed"
    REPORTED = "reported"
    NOTHING = "nothing"
    REUSED = "reused"
    WORST_CASE = "worst_case"
    RESERVED = "reserved"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one attempt counts, in nano-dollars, and why. None is unknown."""

    nanousd: int | None
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """For what a request is made. ``seat`` None is the arbiter; ``model`` is the inventory key."""

    role: Role
    model: str
    seat: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One attempt: a request that was sent, or would have been. Attempts of a seat, or of the arbiter, count from 1."""

    role: Role
    model: str
    seat: int | None
    attempt: int
    nanousd: int | None
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSum:
    """``known_nanousd`` is the sum of the lines that have a figure, ``unknown`` how many have none."""

    known_nanousd: int
    unknown: int

    @property
    def total_nanousd(self) -> int | None:
        return None if self.unknown else self.known_nanousd


Asked: TypeAlias = MemberCall | ArbiterCall


def add_up(lines: Iterable[CostLine]) -> CostSum:
    """The sum of the lines, unknown if one of them is."""
    figures = [line.nanousd for line in lines]
    known = [figure for figure in figures if figure is not None]
    return CostSum(known_nanousd=sum(known), unknown=len(figures) - len(known))


def charge_of(result: Reply | Failure, *, price: Price | None, worst_nanousd: int | None = None) -> Charge:
    """What one attempt counts; the attempts before it are not in it. ``worst_nanousd`` None: not known either.

    The greater of list cost and the provider's own figure: a key of one's own behind a reseller is reported as free,
    and a price list may be out of date.
    """
    if isinstance(result, Reply) and result.age_s is not None:
        return Charge(nanousd=0, basis=Basis.REUSED)
    found = _figure(result, price)
    if isinstance(result, Failure):
        return _charge_of_failure(result, found, worst_nanousd)
    return found or at_worst(worst_nanousd)


def _charge_of_failure(failure: Failure, found: Charge | None, worst_nanousd: int | None) -> Charge:
    billed = may_be_billed(failure)
    # What a broken stream had counted by then is not all of it.
    if found is not None and not (billed and worst_nanousd is not None and (found.nanousd or 0) < worst_nanousd):
        return found
    if billed or failure.kind in _UNHEARD:
        return at_worst(worst_nanousd)
    return Charge(nanousd=0, basis=Basis.NOTHING)


def _figure(result: Reply | Failure, price: Price | None) -> Charge | None:
    listed, reported = call_cost(price, result.usage), result.usage.reported_cost_nanousd
    if reported is not None and (listed is None or reported > listed):
        return Charge(nanousd=reported, basis=Basis.REPORTED)
    return None if listed is None else Charge(nanousd=listed, basis=Basis.LISTED)


def at_worst(worst_nanousd: int | None) -> Charge:
    """What an attempt counts of which nobody knows how it ended."""
    return Charge(nanousd=worst_nanousd, basis=Basis.UNKNOWN if worst_nanousd is None else Basis.WORST_CASE)


def cost_lines(
    fused: Fused,
    prices: Mapping[str, Price | None],
    *,
    worst_of: Callable[[Asked], int | None] = lambda _: None,
) -> tuple[CostLine, ...]:
    """A line for each attempt of members and arbiter, failed ones and second requests included, in the order of seats.

    ``prices`` by inventory key. ``worst_of`` is the worst case of one attempt in nano-dollars; without it an attempt
    that may have been billed is unknown. A request that was cancelled brought no list of its attempts: what was paid
    for those is in the lines of the ``Budget`` alone.
    """
    calls: list[tuple[Payer, Asked]] = [
        (Payer(role=Role.MEMBER, model=call.member.model, seat=call.seat), call) for call in fused.calls
    ]
    if fused.arbitration is not None:
        calls += [(Payer(role=Role.ARBITER, model=call.arbiter.model), call) for call in fused.arbitration.calls]
    return number_attempts(
        (payer, charge_of(attempt, price=prices.get(payer.model), worst_nanousd=worst_of(call)))
        for payer, call in calls
        for attempt in attempts_of(call.result)
    )


def number_attempts(charges: Iterable[tuple[Payer, Charge]]) -> tuple[CostLine, ...]:
    """Lines in the order given, each numbered among those of its payer."""
    seen: dict[Payer, int] = {}
    lines = []
    for payer, charge in charges:
        seen[payer] = seen.get(payer, 0) + 1
        lines.append(
            CostLine(
                role=payer.role,
                model=payer.model,
                seat=payer.seat,
                attempt=seen[payer],
                nanousd=charge.nanousd,
                basis=charge.basis,
            )
        )
    return tuple(lines)
