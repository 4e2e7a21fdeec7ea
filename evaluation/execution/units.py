"""What a worker carries while a batch is under way. Unlike the engine's values these change, on the loop's side until
an answer is handed to the writer, on the writer's side from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.execution.plan import PlannedArm, PlannedModel
from evaluation.scorers import Score, ScoredExample
from panels.fusion.outcomes import Fused
from panels.fusion.privacy.cover import Cover
from panels.fusion.types import Failure, ModelClient, ModelRequest, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One example, ready to be asked and scored.

    Where the run masks, ``scored`` is masked, with ``cover``, and ``masking`` is what is recorded of it; where that
    could not be done, ``blocked`` is what every member's call comes to. All arms share the one cover.
    """

    example_id: int
    position: int
    scored: ScoredExample
    cover: Cover | None = None
    masking: Mapping[str, Any] | None = None
    blocked: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The latest call that an answer has at a seat. ``failed_kinds`` says how each of its attempts failed.

    Of a call that brought a reply in the end it is empty: the answer keeps that call, and what went before it.
    """

    call_id: int
    number: int
    failed_kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The failed answer that a retry replaces: what it added to the progress of its arm, and its calls by seat.

    No arbiter was asked for it: that takes a ballot, and then there is an answer.
    """

    answer_id: int
    call_count: int
    scored: bool
    attempts: Mapping[int, Attempt]


@dataclass(slots=True, kw_only=True, eq=False)
class Purchase:
    """One reply, asked for at most once in a batch however many seats want it.

    ``looks_up`` says that nobody has looked yet whether it was bought before: an arbiter's key comes late.

    ``worst_nanousd`` is what it can cost at most, None if unknown. ``call_id`` is the call that holds its text: an
    earlier one from the start if it is reused, else the first that is written with it. ``kept`` means that the answer
    itself already has that call. ``shared``: more than one seat wants it. ``bought`` is set when it is sent.

    ``request`` is as it is sent: to a member that is ``in_house`` with what ``cover`` hides from everybody else.
    """

    model: PlannedModel
    request: ModelRequest
    key: str = ""
    worst_nanousd: int | None = 0
    result: Reply | Failure | None = None
    call_id: int | None = None
    output_id: int | None = None
    kept: bool = False
    shared: bool = False
    bought: bool = False
    looks_up: bool = False
    cover: Cover | None = None
    in_house: bool = False
    task: asyncio.Task[None] | None = None
    wanted_by: list[Unit] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class OpenExample:
    """What is still reserved for an example of a batch, and how many of its answers are not written yet."""

    reserved_nanousd: int
    units_left: int


@dataclass(slots=True, kw_only=True, eq=False)
class LoadedBatch:
    """A batch with all it takes to answer it. ``replay`` answers instead of members where outputs are replayed.

    ``arbitrations`` holds the arbiters' replies by what names them, as they are asked for.
    """

    pk: int
    number: int
    replay: ModelClient | None
    units: list[Unit] = field(default_factory=list)
    examples: dict[int, OpenExample] = field(default_factory=dict)
    units_left: int = 0
    arbitrations: dict[tuple[str, int], Purchase] = field(default_factory=dict)

    @property
    def worst_nanousd(self) -> int:
        return sum(example.reserved_nanousd for example in self.examples.values())


@dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """One example under one arm: one answer to be. ``begun`` once a call for it has been sent.

    ``asked`` are the arbiter's replies, in the order in which they were asked for; one of them costs at most
    ``arbiter_nanousd``, which is 0 where nothing is known of its price.
    """

    batch: LoadedBatch
    item: Item
    arm: PlannedArm
    seats: tuple[Purchase, ...]
    previous: Previous | None = None
    begun: bool = False
    arbiter_nanousd: int = 0
    asked: list[Purchase] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedUnit:
    """A unit with what came of it."""

    unit: Unit
    fused: Fused
    score: Score | None

    @property
    def row_count(self) -> int:
        return 1 + len(self.fused.calls) + len(self.unit.asked)
