"""What an arbiter found: typed values, in which a member is named by its seat. Candidates' letters never leave here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Stance(StrEnum):
    """What one member's answer does with a claim."""

    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    SILENT = "silent"


class Finding(StrEnum):
    """What the evidence does with a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One cell of the claim × member matrix. ``quote_found``: the quoted span stands in that member's answer."""

    seat: int
    stance: Stance
    quote: str = ""
    quote_found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One row of the matrix, with what the evidence says of it; ``marks`` has every seat that was shown, in order.

    ``quote`` is the span of the evidence; ``quote_found`` says that it really stands there. Where there is evidence, a
    claim whose quote does not stand in it counts as not found: ``said`` is then what the arbiter had said.
    """

    text: str
    finding: Finding
    marks: tuple[Mark, ...]
    quote: str = ""
    quote_found: bool = False
    said: Finding | None = None

    @property
    def supporters(self) -> tuple[int, ...]:
        """The seats that make this claim."""
        return self.seats(Stance.SUPPORTS)

    def seats(self, stance: Stance) -> tuple[int, ...]:
        return tuple(mark.seat for mark in self.marks if mark.stance is stance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The claims, and the seats ranked by support, best first."""

    claims: tuple[Claim, ...]
    ranking: tuple[int, ...]

    def having(self, finding: Finding) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.finding is finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where one member stands on a disputed topic."""

    seat: int
    stance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    topic: str
    stands: tuple[Stand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialCoverage:
    """A point that only these seats make."""

    seats: tuple[int, ...]
    point: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    seat: int
    insight: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The five lists of a synthesis, and the answer as the arbiter wrote it."""

    answer: str
    consensus: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    partial_coverage: tuple[PartialCoverage, ...] = ()
    unique_insights: tuple[Insight, ...] = ()
    blind_spots: tuple[str, ...] = ()


Analysis: TypeAlias = Verification | Synthesis


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRef:
    """Which versioned text the arbiter was given: its name (``verification-1``) and the SHA-256 (hex) of the text."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dissent:
    """One line of the minority report: who dissents, on what, and the words that show it."""

    seat: int
    topic: str
    says: str
    quote: str = ""
