"""A budget that holds itself to its promise, for requests that end in every way there is."""

from __future__ import annotations

from panels.fusion.budget import Budget, Reservation
from panels.fusion.cost_lines import Charge, Payer, add_up
from panels.fusion.types import FailureKind

# Every other request is answered; these failures may be billed all the same.
BILLABLE = [None, None, FailureKind.TIMEOUT, FailureKind.STREAM_CUT, FailureKind.MALFORMED]


class Strict(Budget):
    """Looks after every step whether the ceiling holds and the lines add up."""

    def reserve(self, worst_nanousd: int | None, *, payer: Payer) -> Reservation | None:
        reservation = super().reserve(worst_nanousd, payer=payer)
        self.check()
        return reservation

    def settle(self, reservation: Reservation, *charges: Charge) -> None:
        super().settle(reservation, *charges)
        self.check()

    def check(self) -> None:
        assert self.ceiling_nanousd is not None
        assert self.spent_nanousd + self.reserved_nanousd <= self.ceiling_nanousd
        assert add_up(self.lines).total_nanousd == self.spent_nanousd + self.reserved_nanousd
