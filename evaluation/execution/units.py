"""What a worker carries while a batch is under way. Unlike the engine's values these change, on the loop's side until
an answer is handed to the writer, on the writer's side from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.execution.plan import PlannedArm, PlannedModel
from evaluation.scorers import Score, ScoredExample
from panels.fusion.types import Failure, Fused, ModelClient, ModelRequest, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One example, ready to be asked and scored."""

    example_id: int
    position: int
    scored: ScoredExample


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The latest call that an answer has at a seat."""

    call_id: int
    number: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The failed answer that a retry replaces: what it added to the progress of its arm, and its calls by seat."""

    answer_id: int
    call_count: int
    scored: bool
    attempts: Mapping[int, Attempt]


@dataclass(slots=True, kw_only=True, eq=False)
class Purchase:
    """One reply, asked for at most once in a batch however many seats want it.

    ``worst_nanousd`` is what it can cost at most, None if unknown. ``call_id`` is the call that holds its text: an
    earlier one from the start if it is reused, else the first that is written with it. ``kept`` means that the answer
    itself already has that call. ``shared``: more than one seat wants it. ``bought`` is set when it is sent.
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
    task: asyncio.Task[None] | None = None
    wanted_by: list[Unit] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class OpenExample:
    """What is still reserved for an example of a batch, and how many of its answers are not written yet."""

    reserved_nanousd: int
    units_left: int


@dataclass(slots=True, kw_only=True, eq=False)
class LoadedBatch:
    """A batch with all it takes to answer it. ``replay`` answers instead of providers where outputs are replayed."""

    pk: int
    number: int
    replay: ModelClient | None
    units: list[Unit] = field(default_factory=list)
    examples: dict[int, OpenExample] = field(default_factory=dict)
    units_left: int = 0

    @property
    def worst_nanousd(self) -> int:
        return sum(example.reserved_nanousd for example in self.examples.values())


@dataclass(slots=True, kw_only=True, eq=False)
class Unit:
    """One example under one arm: one answer to be. ``begun`` once a call for it has been sent."""

    batch: LoadedBatch
    item: Item
    arm: PlannedArm
    seats: tuple[Purchase, ...]
    previous: Previous | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedUnit:
    """A unit with what came of it."""

    unit: Unit
    fused: Fused
    score: Score | None

    @property
    def row_count(self) -> int:
        return 1 + len(self.fused.calls)
