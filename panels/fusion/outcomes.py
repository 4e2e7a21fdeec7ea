"""What comes of asking a panel: ballots, the vote, the arbiter's part, and the fused answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from panels.fusion.arbitration import Analysis, PromptRef
from panels.fusion.types import Arbiter, Failure, Member, Reply, StrategyName

BallotValue: TypeAlias = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A member's answer in canonical form. ``value`` None is an abstention; a failure abstains too.

    ``seat`` is the member's index in panel order, ``stage`` the index of its stage.
    """

    seat: int
    stage: int
    member: Member
    value: BallotValue | None
    text: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Ballots that say the same. ``support`` is what stands behind them: ballots, or weight."""

    ballots: tuple[Ballot, ...]
    support: float

    @property
    def leader(self) -> Ballot:
        return self.ballots[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTally:
    """The vote on one field of a ``json`` answer. ``value`` is the JSON text of what won; None: to leave it out."""

    name: str
    value: str | None
    consensus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The vote after some stages: groups in order of support, the winner, and the consensus in [0, 1].

    ``winner`` is the ballot that speaks for the winning group; None if everybody abstained. For ``json`` the fields
    vote one by one: ``fields`` holds them, ``merged`` what they make together where no member said exactly that (its
    canonical JSON text; ``winner`` is then the ballot that comes closest), and the consensus is that of the field
    agreed on least. The groups are of members that agree in every field. If what the fields make breaks the schema,
    the answer and the consensus are those of the groups' vote, and ``problem`` says how.
    """

    groups: tuple[Group, ...]
    winner: Ballot | None
    consensus: float
    fields: tuple[FieldTally, ...] = ()
    merged: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCall:
    """One member's seat in one fused answer: what it was and what came back."""

    seat: int
    stage: int
    member: Member
    result: Reply | Failure
    ballot: Ballot


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterCall:
    """One question to the arbiter. ``attempt`` 2 is the one retry after an analysis that could not be read."""

    attempt: int
    arbiter: Arbiter
    prompt: PromptRef
    result: Reply | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbitration:
    """What came of asking the arbiter. ``seats`` are the candidates in the order they were shown.

    ``analysis`` is None where none could be had; ``problem`` then says why.
    """

    calls: tuple[ArbiterCall, ...]
    seats: tuple[int, ...]
    analysis: Analysis | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """Something that was cut short in an answer: what (``kind``), at which seat, and why (``reason``)."""

    kind: str
    reason: str
    seat: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What the schedule of stages brought, before any arbiter."""

    calls: tuple[MemberCall, ...]
    tally: Tally
    stages_called: int
    settled: bool = False
    degraded: tuple[Degradation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """The answer itself. ``seat`` is the member whose words they are; None where the arbiter or a merge wrote them."""

    value: BallotValue
    text: str
    seat: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """The fused result for one question. Whatever was cut short stands in ``degraded``; nothing is silent.

    ``final`` is None if there is no answer. ``strategy`` is the one that was applied, ``strategy_reason`` why, where
    the panel left the choice open.
    """

    calls: tuple[MemberCall, ...]
    tally: Tally
    stages_called: int
    final: Final | None
    strategy: StrategyName
    strategy_reason: str = ""
    settled: bool = False
    arbitration: Arbitration | None = None
    degraded: tuple[Degradation, ...] = ()

    @property
    def winner(self) -> Ballot | None:
        """The ballot that won the vote, whatever an arbiter made of it."""
        return self.tally.winner

    @property
    def value(self) -> BallotValue | None:
        return None if self.final is None else self.final.value

    @property
    def consensus(self) -> float:
        return self.tally.consensus

    @property
    def escalated(self) -> bool:
        return self.stages_called > 1
