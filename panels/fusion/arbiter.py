"""Asking the arbiter: what it is sent, the one retry, and what came of it. It never raises for what it replies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from panels.fusion.arbiter_reply import MAX_PROBLEM_CHARS, Schema, Unreadable, read_object_of
from panels.fusion.arbitration import Analysis
from panels.fusion.candidates import NONCE_DIGITS, Candidate, LineUp, fenced, letter, line_up, shown_bytes
from panels.fusion.outcomes import ArbiterCall, Arbitration, Degradation, Tally, Vote
from panels.fusion.prompts import PROMPTS, Prompt, prompt_for
from panels.fusion.strategies.synthesis import read_synthesis, synthesis_schema
from panels.fusion.strategies.verification import read_verification, verification_schema
from panels.fusion.types import (
    Arbiter,
    AskArbiter,
    Failure,
    FailureKind,
    Message,
    ModelRequest,
    Panel,
    Question,
    Reply,
    StrategyName,
)

# A quote, a backslash or a line break of one byte is two in JSON; nothing that a candidate may hold grows more.
_JSON_GROWTH = 2
# What the body holds beside the texts: the provider's model id (200 characters at most), the settings, the keys.
_ENVELOPE_BYTES = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterDesk:
    """How to reach an arbiter. ``secret`` keys the order of the candidates and the nonce of their fences.

    ``ask`` is cancelled at the deadline of a live request.
    """

    ask: AskArbiter
    secret: bytes


class _ReadAnalysis(Protocol):
    def __call__(self, found: Any, *, question: Question, tally: Tally, lineup: LineUp) -> Analysis: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What a strategy asks for: the schema for candidates of these letters, and how to read what satisfies it."""

    schema: Callable[[Sequence[str]], Schema]
    read: _ReadAnalysis


_FORMS = {
    StrategyName.VERIFICATION: _Form(schema=verification_schema, read=read_verification),
    StrategyName.SYNTHESIS: _Form(schema=synthesis_schema, read=read_synthesis),
}


def is_recused(panel: Panel) -> bool:
    """Whether the panel's arbiter would judge answers of its own model, which the panel does not allow."""
    arbiter = panel.arbiter
    if arbiter is None or arbiter.may_be_member:
        return False
    return any(member.model == arbiter.model for member in panel.members)


async def arbitrate(
    *,
    question: Question,
    strategy: StrategyName,
    arbiter: Arbiter,
    vote: Vote,
    desk: ArbiterDesk,
    left_s: Callable[[], float | None],
) -> Arbitration:
    """Ask for an analysis of every ballot, and once more if it cannot be read. ``left_s``: seconds left, None: any.

    A call that failed is not repeated here: the client has tried what there is to try.
    """
    case = _Case(
        question=question, strategy=strategy, arbiter=arbiter, lineup=line_up(question, vote.calls, secret=desk.secret)
    )
    found = Arbitration(calls=(), seats=case.lineup.seats)
    prompt = prompt_for(arbiter.prompt, strategy)
    if prompt is None:
        return replace(found, problem=f"the prompt {arbiter.prompt} has no text for {strategy.value}")
    for attempt in (1, 2):
        request = case.request(prompt, problem=found.problem)
        result = await _in_time(desk, question, request, attempt, left_s())
        call = ArbiterCall(attempt=attempt, arbiter=arbiter, prompt=prompt.ref, result=result)
        found = replace(found, calls=(*found.calls, call))
        if isinstance(result, Failure):
            return replace(found, problem=result.kind.value)
        read = case.read(result, vote.tally)
        if not isinstance(read, Unreadable):
            return replace(found, analysis=read, problem="")
        found = replace(found, problem=read.problem)
    return found


def shortfall(arbitration: Arbitration) -> Degradation:
    """How an answer is marked that had to do without an analysis."""
    was_read = arbitration.calls and isinstance(arbitration.calls[-1].result, Reply)
    kind = "arbiter_unreadable" if was_read else "arbiter_failed"
    return Degradation(kind=kind, reason=arbitration.problem)


def opening_messages(prompt: Prompt, question: Question, lineup: LineUp) -> tuple[Message, ...]:
    """The two messages of the first attempt. They name no model, seat, weight or provider."""
    parts = (prompt.opening.format(nonce=lineup.nonce), fenced(question, lineup), prompt.closing)
    return Message(role="system", content=prompt.system), Message(role="user", content="\n\n".join(parts))


def worst_body_bytes(question: Question, panel: Panel) -> int:
    """The most UTF-8 bytes that the body of a request to the panel's arbiter can have, the retry's included.

    Every member may answer with as many bytes as are shown, each of which JSON may write as two. 0 without an arbiter.
    """
    if panel.arbiter is None:
        return 0
    return frame_bytes(question, panel.arbiter, len(panel.members)) + words_bytes(panel)


def words_bytes(panel: Panel) -> int:
    """The most that the members' words can add to it."""
    return _JSON_GROWTH * sum(shown_bytes(member) for member in panel.members)


def frame_bytes(question: Question, arbiter: Arbiter, members: int) -> int:
    """The most that is around the words of so many members."""
    empty = tuple(Candidate(letter=letter(rank), seat=rank, text="") for rank in range(members))
    lineup = LineUp(nonce="0" * NONCE_DIGITS, candidates=empty)
    prompts = PROMPTS.get(arbiter.prompt, {}).values()
    return _ENVELOPE_BYTES + max((_frame_bytes(prompt, question, lineup) for prompt in prompts), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is put before the arbiter."""

    question: Question
    strategy: StrategyName
    arbiter: Arbiter
    lineup: LineUp

    def request(self, prompt: Prompt, *, problem: str) -> ModelRequest:
        """The same messages for the same content; ``problem`` is what was wrong with the first reply, if one was."""
        messages = opening_messages(prompt, self.question, self.lineup)
        if problem:
            messages = (*messages, Message(role="user", content=prompt.retry.format(problem=problem)))
        return ModelRequest(
            model=self.arbiter.model, messages=messages, sampling=self.arbiter.sampling, item_id=self.question.item_id
        )

    def read(self, reply: Reply, tally: Tally) -> Analysis | Unreadable:
        form = _FORMS[self.strategy]
        schema = form.schema([candidate.letter for candidate in self.lineup.candidates])
        found = read_object_of(reply.text, schema=schema)
        if not isinstance(found, Unreadable):
            return form.read(found, question=self.question, tally=tally, lineup=self.lineup)
        return _CUT_OFF if reply.finish_reason == "length" else found


_CUT_OFF = Unreadable(problem="it was cut off at the limit of your reply; write fewer and shorter entries")


async def _in_time(
    desk: ArbiterDesk, question: Question, request: ModelRequest, attempt: int, left_s: float | None
) -> Reply | Failure:
    late = Failure(kind=FailureKind.DEADLINE, detail="the deadline came before the arbiter's reply")
    if left_s is not None and left_s <= 0:
        return late
    try:
        async with asyncio.timeout(left_s):
            return await desk.ask(question=question, request=request, attempt=attempt)
    except TimeoutError:
        return late


def _frame_bytes(prompt: Prompt, question: Question, lineup: LineUp) -> int:
    """All but the candidates' words."""
    retry = Message(role="user", content=prompt.retry.format(problem="x" * MAX_PROBLEM_CHARS))
    messages = (*opening_messages(prompt, question, lineup), retry)
    written = json.dumps([message.content for message in messages], ensure_ascii=False)
    return len(written.encode("utf-8", "replace"))
