"""What of a panel fits under a ceiling: full, fewer members, a vote without the arbiter, one member, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeAlias, TypeVar, cast

from panels.fusion.budget import dollars
from panels.fusion.outcomes import Degradation
from panels.fusion.quote import Terms, may_ask, planned_worst
from panels.fusion.types import Panel, Question

_FEWEST = 2
# Where values name seats: one, or several in an order.
_SEAT, _SEATS = "seat", frozenset({"seats", "ranking"})

Value = TypeVar("Value")
Seats: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What is asked. ``seats`` is where each of its members sits on the panel version, in order."""

    panel: Panel
    seats: Seats
    degraded: tuple[Degradation, ...] = ()

    def on_the_version(self, value: Value) -> Value:
        """``value`` (a Fused, a MemberCall ...) with every seat as the panel version counts them."""
        if self.seats == tuple(range(len(self.seats))):
            return value
        return cast("Value", _reseated(value, self.seats))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing fits. ``reason`` is for people, with the figures."""

    reason: str


def fit_under(
    panel: Panel,
    question: Question,
    ceiling_nanousd: int | None,
    terms: Terms,
    *,
    whole_nanousd: int | None = None,
) -> Fitted | Refused:
    """The first that fits by its worst case (``planned_worst``), each step down typed in ``degraded``.

    Full; members left out from the end of the panel, down to two, with the arbiter; the same without the arbiter; the
    first member that fits alone; refused. What has no known price cannot be held under a ceiling and is left out
    first. Without a ceiling everybody is asked, and what has no price is flagged. ``whole_nanousd`` is the worst case
    of the whole panel, where that is known already.
    """
    ladder = _Ladder(panel=panel, question=question, ceiling_nanousd=ceiling_nanousd or 0, terms=terms)
    if ceiling_nanousd is None:
        return Fitted(panel=panel, seats=ladder.seats, degraded=ladder.flags)
    if whole_nanousd is not None and whole_nanousd <= ceiling_nanousd:
        return Fitted(panel=panel, seats=ladder.seats)
    return next(ladder.steps(), None) or Refused(reason=ladder.refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ladder:
    panel: Panel
    question: Question
    ceiling_nanousd: int
    terms: Terms

    def steps(self) -> Iterator[Fitted]:
        """What fits, best first."""
        priced = self.priced
        fewest = min(_FEWEST, len(self.seats))
        for arbiter in (True, False):
            for count in range(len(priced), fewest - 1, -1):
                if self.fits(priced[:count], arbiter=arbiter):
                    yield self.fitted(priced[:count], arbiter=arbiter)
        for seat in priced:
            if self.fits((seat,), arbiter=False):
                yield self.alone(seat)

    @property
    def seats(self) -> Seats:
        return tuple(range(len(self.panel.members)))

    @property
    def priced(self) -> Seats:
        return tuple(seat for seat in self.seats if self.terms.prices.get(self.model(seat)) is not None)

    def model(self, seat: int) -> str:
        return self.panel.members[seat].model

    def worst(self, seats: Seats, *, arbiter: bool) -> int | None:
        return planned_worst(_only(self.panel, seats, arbiter=arbiter), self.question, self.terms)

    def fits(self, seats: Seats, *, arbiter: bool) -> bool:
        worst = self.worst(seats, arbiter=arbiter)
        return worst is not None and worst <= self.ceiling_nanousd

    def fitted(self, seats: Seats, *, arbiter: bool) -> Fitted:
        judge = may_ask(self.panel, self.question)
        cut = [self.trimmed(seat, arbiter=arbiter) for seat in self.seats if seat not in seats]
        if judge is not None and not arbiter:
            least = self.priced[: min(_FEWEST, len(self.seats))]
            why = self.why_not(self.worst(least, arbiter=True), f"with the arbiter {judge.model}", judge.model)
            cut.append(Degradation(kind="without_arbiter", reason=why))
        return Fitted(panel=_only(self.panel, seats, arbiter=arbiter), seats=seats, degraded=tuple(cut))

    def trimmed(self, seat: int, *, arbiter: bool) -> Degradation:
        up_to = tuple(other for other in self.priced if other <= seat)
        worst = self.worst(up_to, arbiter=arbiter) if seat in up_to else None
        return Degradation(
            kind="members_trimmed", reason=self.why_not(worst, f"with {self.model(seat)}", self.model(seat)), seat=seat
        )

    def alone(self, seat: int) -> Fitted:
        first = self.priced[:_FEWEST]
        why = "only one member has a known price"
        if len(first) == _FEWEST:
            why = self.why_not(self.worst(first, arbiter=False), "with two members", "")
        cut = Degradation(kind="single_member", reason=why, seat=seat)
        return Fitted(panel=_only(self.panel, (seat,), arbiter=False), seats=(seat,), degraded=(cut,))

    def why_not(self, worst: int | None, what: str, model: str) -> str:
        ceiling = dollars(self.ceiling_nanousd)
        if worst is None:
            return f"the price of {model} is not known, so it is not asked under the ceiling of {ceiling}"
        return f"{what} the worst case is {dollars(worst)}, over the ceiling of {ceiling}"

    @property
    def refusal(self) -> str:
        ceiling = dollars(self.ceiling_nanousd)
        alone = [(self.worst((seat,), arbiter=False) or 0, self.model(seat)) for seat in self.priced]
        if not alone:
            return f"No member has a known price, so none can be asked under the ceiling of {ceiling}."
        worst, model = min(alone)
        return f"Even {model} alone may cost {dollars(worst)}, which is over the ceiling of {ceiling}."

    @property
    def flags(self) -> tuple[Degradation, ...]:
        """One for each seat, and for the arbiter, that has no known price."""
        judge = may_ask(self.panel, self.question)
        asked = [*((self.model(seat), seat) for seat in self.seats), *([] if judge is None else [(judge.model, None)])]
        return tuple(
            Degradation(kind="price_unknown", reason=f"the price of {model} is not known", seat=seat)
            for model, seat in asked
            if self.terms.prices.get(model) is None
        )


def _only(panel: Panel, seats: Seats, *, arbiter: bool) -> Panel:
    """The panel with these members in their stages; a stage that nobody is left of goes."""
    left = iter(range(len(panel.members)))
    stages = [
        replace(stage, members=tuple(member for member in stage.members if next(left) in seats))
        for stage in panel.stages
    ]
    return replace(
        panel,
        stages=tuple(stage for stage in stages if stage.members),
        arbiter=panel.arbiter if arbiter else None,
    )


def _reseated(value: object, seats: Seats) -> object:
    if isinstance(value, tuple):
        return tuple(_reseated(each, seats) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {
        field.name: _reseated_field(field.name, getattr(value, field.name), seats) for field in fields(value)
    }
    return replace(value, **changed)


def _reseated_field(name: str, value: object, seats: Seats) -> object:
    if name == _SEAT and isinstance(value, int):
        return seats[value]
    if name in _SEATS and isinstance(value, tuple):
        return tuple(seats[seat] for seat in value)
    return _reseated(value, seats)
