"""What the arbiters of a run were asked, and what that took and cost."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from evaluation.models import Arm, Call, Run
from panels.models import LanguageModel


@dataclass(slots=True, kw_only=True)
class ArbiterTally:
    """One arm's calls to its arbiter, attempts not counted. Money in nano-dollars; ``latencies`` in seconds."""

    model: LanguageModel
    calls: int = 0
    failed: int = 0
    cost_nanousd: int = 0
    cost_unknown: int = 0
    spent_nanousd: int = 0
    spent_unknown: int = 0
    placeholders: int | None = None
    placeholders_lost: int | None = None
    answers: set[int] = field(default_factory=set)
    latencies: array[float] = field(default_factory=lambda: array("d"))


class _ArbiterCall(NamedTuple):
    answer_id: int
    answer__arm_id: int
    outcome: str
    reply_key: str
    reused_from_id: int | None
    cost_nanousd: int | None
    spent_nanousd: int | None
    latency_s: float | None
    placeholders: int | None
    placeholders_lost: int | None


def arbiter_of(arm: Arm) -> ArbiterTally | None:
    """An empty tally where the arm's panel has an arbiter; needs ``arm.panel_version.arbiter_model``."""
    model = arm.panel_version.arbiter_model
    return None if model is None else ArbiterTally(model=model)


def tally_arbiters(run: Run, arbiters: Mapping[int, ArbiterTally], span: tuple[int, int]) -> None:
    """Adds the calls of the examples at these positions; by arm. One query, none without an arbiter."""
    if not arbiters:
        return
    calls = Call.objects.filter(
        answer__run=run, answer__arm__in=list(arbiters), answer__position__range=span, role=Call.Role.ARBITER
    )
    for row in calls.values_list(*_ArbiterCall._fields).iterator(chunk_size=2_000):
        call = _ArbiterCall._make(row)
        _count(arbiters[call.answer__arm_id], call)


def _count(tally: ArbiterTally, call: _ArbiterCall) -> None:
    """Money counts for every attempt; an attempt that another one followed has neither a key nor a source."""
    if call.spent_nanousd is None:
        tally.spent_unknown += 1
    else:
        tally.spent_nanousd += call.spent_nanousd
    if call.cost_nanousd is not None:
        tally.cost_nanousd += call.cost_nanousd
    elif call.outcome == Call.OK:
        tally.cost_unknown += 1
    if not call.reply_key and call.reused_from_id is None:
        return
    tally.calls += 1
    tally.answers.add(call.answer_id)
    tally.failed += call.outcome != Call.OK
    if call.outcome == Call.OK and call.latency_s is not None:
        tally.latencies.append(call.latency_s)
    if call.placeholders_lost is not None:
        tally.placeholders = (tally.placeholders or 0) + (call.placeholders or 0)
        tally.placeholders_lost = (tally.placeholders_lost or 0) + call.placeholders_lost
