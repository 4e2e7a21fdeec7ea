"""Requests of an arbiter as a panel writes them, in words of our own, and items whose answer is known."""

from __future__ import annotations

from decimal import Decimal

from panels.simulator.answer_key import Fact, KeyItem
from panels.simulator.brief import Brief, Task
from panels.simulator.model import GENERAL, SimulatedModel

NONCE = "0123456789abcdef"
CITY = KeyItem(id="q", topic="t", reference="Paris", wrong=("Lyon", "Nice"))
MILL = KeyItem(
    id="m",
    topic="t",
    reference="",
    facts=(
        Fact(sentence="The mill closes at the end of October.", wrong="The mill closes at the start of October."),
        Fact(sentence="It employs 86 people.", wrong="It employs 186 people."),
    ),
)


def model(*, judging: float | None = 1.0, skill: float = 0.5, **changes) -> SimulatedModel:
    return SimulatedModel(
        id="sim-j", price_in=Decimal(1), price_out=Decimal(1), skill={GENERAL: skill}, judging=judging, **changes
    )


def brief(*candidates: str, evidence: str = "", question: str = "Q?") -> Brief:
    shown = dict(zip("ABCDEFGH", candidates, strict=False))
    return Brief(task=Task.SYNTHESIS, question=question, candidates=shown, evidence=evidence)


def block(name: str, text: str, *, nonce: str = NONCE) -> str:
    return f"<<<{name} {nonce}>>>\n{text}\n<<<END {name} {nonce}>>>"


def arbiter_messages(
    *candidates: str,
    task: str = "verification-1",
    question: str = "Capital of France?",
    evidence: str = "",
    nonce: str = NONCE,
    problem: str = "",
) -> tuple[tuple[str, str], ...]:
    blocks = [("QUESTION", question), *([("EVIDENCE", evidence)] if evidence else [])]
    blocks += [(f"CANDIDATE {letter}", text) for letter, text in zip("ABCDEFGH", candidates, strict=False)]
    written = [block(name, text, nonce=nonce) for name, text in blocks]
    asked = "\n\n".join([f"The nonce of this message is {nonce}.", *written, "Reply with the JSON object."])
    messages = (("system", f"Task: {task}\n\nYou check answers."), ("user", asked))
    return (*messages, ("user", f"It could not be used: {problem}")) if problem else messages
