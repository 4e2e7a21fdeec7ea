"""Builders for what an arbiter is shown and says, and a reader of fenced blocks that knows nothing of their writer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from panels.fusion.answers import dice
from panels.fusion.arbiter import ArbiterDesk
from panels.fusion.outcomes import MemberCall, Vote
from panels.fusion.schedule import failed_members, member_call
from panels.fusion.strategies.majority import majority
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Failure,
    Member,
    Message,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    Stage,
    StrategyName,
)

SECRET = b"a secret of the installation"
EVIDENCE = "The bridge was opened in 1932 by J. Lang. It is 1,149 metres long\nand carries eight lanes."
OPENED = "The bridge opened in 1932"
LONGER = "The bridge is two kilometres long"


def asked(
    kind: AnswerKind = AnswerKind.TEXT,
    *,
    evidence: str = EVIDENCE,
    item_id: str = "q1",
    prompt: str = "When did the bridge open?",
    choices: tuple[str, ...] = (),
) -> Question:
    message = Message(role="user", content=prompt)
    return Question(item_id=item_id, messages=(message,), kind=kind, choices=choices, evidence=evidence)


def seat_calls(
    question: Question, *results: str | Reply | Failure, members: Sequence[Member] = (), first_seat: int = 0
) -> tuple[MemberCall, ...]:
    """A call for each result; a text stands for a reply of that text."""
    replies = [Reply(text=result) if isinstance(result, str) else result for result in results]
    seated = members or [Member(model=f"m{seat}") for seat in range(len(replies))]
    return tuple(
        member_call(question, member, seat, 0, result)
        for seat, (member, result) in enumerate(zip(seated, replies, strict=True), start=first_seat)
    )


def vote_of(question: Question, *results: str | Reply | Failure, members: Sequence[Member] = ()) -> Vote:
    calls = seat_calls(question, *results, members=members)
    tally = majority([call.ballot for call in calls], question=question, similarity=dice)
    return Vote(calls=calls, tally=tally, stages_called=1, degraded=failed_members(calls))


def arbiter(prompt: str = "auto-1", *, when: ArbiterWhen = ArbiterWhen.DISPUTED, **changes: Any) -> Arbiter:
    return replace(Arbiter(model="judge", prompt=prompt, when=when), **changes)


def arbitrated_panel(
    *models: str, strategy: StrategyName = StrategyName.VERIFICATION, judge: Arbiter | None = None, **changes: Any
) -> Panel:
    members = tuple(Member(model=name, sampling=Sampling(max_tokens=64)) for name in models)
    panel = Panel(strategy=strategy, stages=(Stage(members=members),), arbiter=judge or arbiter())
    return replace(panel, **changes)


class ScriptedArbiter:
    """Answers with each result in turn, and remembers what it was sent. A text stands for a reply of that text."""

    def __init__(self, *results: str | Reply | Failure) -> None:
        self._results = [Reply(text=result) if isinstance(result, str) else result for result in results]
        self.requests: list[ModelRequest] = []
        self.attempts: list[int] = []

    async def __call__(self, *, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure:
        self.requests.append(request)
        self.attempts.append(attempt)
        return self._results[len(self.requests) - 1]

    @property
    def desk(self) -> ArbiterDesk:
        return ArbiterDesk(ask=self, secret=SECRET)


def written_claim(text: str, finding: str, quote: str = "", **stances: str) -> dict[str, Any]:
    """One claim as an arbiter writes it; ``stances`` by letter."""
    marks = [{"candidate": letter, "stance": stance, "quote": ""} for letter, stance in stances.items()]
    return {"claim": text, "finding": finding, "quote": quote, "candidates": marks}


def written_verification(*claims: dict[str, Any]) -> str:
    return json.dumps({"claims": list(claims)})


def written_synthesis(answer: Any = "In 1932.", **lists: Any) -> str:
    empty: dict[str, Any] = {
        "consensus": [],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [],
    }
    return json.dumps({"analysis": empty | lists, "answer": answer})


def read_blocks(user_message: str) -> dict[str, str]:
    """Name → text of each fenced block, in order. Fails on anything between the blocks but the opening and closing."""
    nonce = re.findall(r"\AThe nonce of this message is ([0-9a-f]{16})\. ", user_message)[0]
    blocks: dict[str, str] = {}
    name, inside, outside = "", [""], []
    for line in user_message.split("\n"):
        begins = re.fullmatch(rf"<<<((?!END )[A-Z ]+) {nonce}>>>", line)
        if not name and begins:
            name, inside = begins[1], []
        elif name and line == f"<<<END {name} {nonce}>>>":
            assert name not in blocks
            blocks[name], name = "\n".join(inside), ""
        elif name:
            inside.append(line)
        elif line:
            outside.append(line)
    assert not name
    assert len(outside) == 2, outside
    return blocks
