"""A request's money: the worst case is reserved before each call and settled after it. A ceiling is never crossed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from panels.fusion.cost_lines import Basis, Charge, CostLine, Payer, at_worst, charge_of, number_attempts
from panels.fusion.outcomes import Degradation
from panels.fusion.pricing import NANOUSD_PER_USD, Price, worst_case_cost
from panels.fusion.retry import attempts_of
from panels.fusion.types import Failure, FailureKind, ModelClient, ModelRequest, Reply

_DIGITS = 9
_EXCEEDED = "{} charged more than the worst case of its price; under a ceiling no further call is made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money set aside for one call: its worst case in nano-dollars, None where the price is unknown."""

    number: int
    payer: Payer
    worst_nanousd: int | None


class Budget:
    """The money of one request, members and arbiter together. Belongs to one event loop; it never awaits.

    ``spent_nanousd + reserved_nanousd <= ceiling_nanousd`` at all times, unless a provider charged more than the worst
    case of its own price list: that is recorded as it is (``overrun_nanousd``), and nothing is reserved any more.
    ``ceiling_nanousd`` None has no bound, and lets in what has no price; such a line has no figure.
    """

    def __init__(self, ceiling_nanousd: int | None) -> None:
        self.ceiling_nanousd = ceiling_nanousd
        self.spent_nanousd = 0
        self.reserved_nanousd = 0
        self.overrun_nanousd = 0
        self._open: dict[int, Reservation] = {}
        self._charges: list[tuple[Payer, tuple[Charge, ...]]] = []
        self._unpriced: dict[Payer, None] = {}
        self._overcharged: dict[Payer, None] = {}

    def reserve(self, worst_nanousd: int | None, *, payer: Payer) -> Reservation | None:
        """Set ``worst_nanousd`` aside; None if the ceiling does not allow it."""
        if self.refusal(worst_nanousd, payer=payer):
            return None
        reservation = Reservation(number=len(self._charges), payer=payer, worst_nanousd=worst_nanousd)
        self._open[reservation.number] = reservation
        self._charges.append((payer, (_reserved(worst_nanousd),)))
        self.reserved_nanousd += worst_nanousd or 0
        if worst_nanousd is None:
            self._unpriced[payer] = None
        return reservation

    def settle(self, reservation: Reservation, *charges: Charge) -> None:
        """Replace what was set aside by what each attempt of the call counts. Raises KeyError the second time."""
        del self._open[reservation.number]
        self._charges[reservation.number] = (reservation.payer, charges)
        paid = sum(charge.nanousd or 0 for charge in charges)
        self.reserved_nanousd -= reservation.worst_nanousd or 0
        self.spent_nanousd += paid
        if reservation.worst_nanousd is not None and paid > reservation.worst_nanousd:
            self.overrun_nanousd += paid - reservation.worst_nanousd
            self._overcharged[reservation.payer] = None

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a call that was not made. Raises KeyError the second time."""
        self.settle(reservation)

    def refusal(self, worst_nanousd: int | None, *, payer: Payer) -> str:
        """Why a call of this worst case may not be made, for people; empty if it may."""
        if self.ceiling_nanousd is None:
            return ""
        ceiling = f"the ceiling of {dollars(self.ceiling_nanousd)}"
        if worst_nanousd is None:
            return f"the price of {payer.model} is unknown, so its cost cannot be held under {ceiling}"
        if self._overcharged:
            model = next(iter(self._overcharged)).model
            return f"{model} charged more than the worst case of its price, so nothing more is spent under {ceiling}"
        left = self.ceiling_nanousd - self.spent_nanousd - self.reserved_nanousd
        if worst_nanousd <= left:
            return ""
        return f"{payer.model} may cost {dollars(worst_nanousd)}, and {dollars(max(0, left))} is left of {ceiling}"

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """A line for each attempt in the order in which they were reserved; what is under way at its worst case.

        They add up to ``spent_nanousd + reserved_nanousd`` where no figure is unknown.
        """
        return number_attempts((payer, charge) for payer, charges in self._charges for charge in charges)

    @property
    def degraded(self) -> tuple[Degradation, ...]:
        """What an answer has to say of its money: calls without a price, and providers that charged too much."""
        return (
            *(_flag(payer, "price_unknown", "the price of {} is not known") for payer in self._unpriced),
            *(_flag(payer, "price_exceeded", _EXCEEDED) for payer in self._overcharged),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetedClient:
    """A ``ModelClient`` for one seat, or for the arbiter, that spends from ``budget`` alone.

    ``body_bytes`` is the length of the body on the wire, which bounds the input tokens. What the ceiling does not allow
    is not sent: CEILING. A call that is cancelled or breaks counts at its worst case, since it may have been billed.
    It may stand on either side of retries: they are made only where nothing was billed.
    """

    client: ModelClient
    budget: Budget
    payer: Payer
    price: Price | None
    body_bytes: Callable[[ModelRequest], int]

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        worst = self._worst_nanousd(request)
        reservation = self.budget.reserve(worst, payer=self.payer)
        if reservation is None:
            return Failure(kind=FailureKind.CEILING, detail=self.budget.refusal(worst, payer=self.payer))
        charges: tuple[Charge, ...] = (at_worst(worst),)
        try:
            result = await self.client.complete(request)
            charges = tuple(
                charge_of(attempt, price=self.price, worst_nanousd=worst) for attempt in attempts_of(result)
            )
            return result
        finally:
            self.budget.settle(reservation, *charges)

    def _worst_nanousd(self, request: ModelRequest) -> int | None:
        if self.price is None:
            return None
        body_bytes = self.body_bytes(request)
        return worst_case_cost(self.price, body_bytes=body_bytes, max_tokens=request.sampling.max_tokens)


def dollars(nanousd: int) -> str:
    """As ``$0.02``, every digit that is not 0."""
    whole, rest = divmod(nanousd, NANOUSD_PER_USD)
    digits = f"{rest:0{_DIGITS}d}".rstrip("0")
    return f"${whole}.{digits.ljust(2, '0')}"


def _reserved(worst_nanousd: int | None) -> Charge:
    return Charge(nanousd=worst_nanousd, basis=Basis.UNKNOWN if worst_nanousd is None else Basis.RESERVED)


def _flag(payer: Payer, kind: str, reason: str) -> Degradation:
    return Degradation(kind=kind, reason=reason.format(payer.model), seat=payer.seat)
