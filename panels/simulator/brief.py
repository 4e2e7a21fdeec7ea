"""What an arbiter is asked: the blocks between the fences of a request whose system message names the task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from panels.simulator.answer_key import digest_user_messages

_TASK = re.compile(r"Task: (verification|synthesis)-\d+[ \t]*(?:\n|$)")
_FIRST_FENCE = re.compile(r"^<<<QUESTION ([0-9a-f]{16})>>>$", re.MULTILINE)
_CANDIDATE = re.compile(r"CANDIDATE ([A-Z]+)")
_ROLE = re.compile(r"^\[(system|developer|user|assistant|tool)\]$", re.MULTILINE)


class Task(StrEnum):
    VERIFICATION = "verification"
    SYNTHESIS = "synthesis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """``candidates`` are texts by letter. ``asked_again``: the reply before could not be used."""

    task: Task
    question: str
    candidates: Mapping[str, str]
    evidence: str = ""
    asked_again: bool = False

    @property
    def digests(self) -> tuple[bytes, ...]:
        """Under which the answer key may hold the question: as one message of the user, or as several with roles."""
        pieces = _ROLE.split(self.question)
        messages = list(zip(pieces[1::2], pieces[2::2], strict=True))
        return digest_user_messages([("user", self.question)]), digest_user_messages(messages)


def read_brief(messages: Sequence[tuple[str, str]]) -> Brief | None:
    """None unless the request is an arbiter's, with a question and at least one candidate."""
    role, text = messages[0]
    task = _TASK.match(text) if role == "system" else None
    if task is None:
        return None
    said = [text for role, text in messages if role == "user"]
    blocks = _read_blocks(said[0]) if said else {}
    candidates = {match[1]: text for name, text in blocks.items() if (match := _CANDIDATE.fullmatch(name))}
    if not candidates or "QUESTION" not in blocks:
        return None
    return Brief(
        task=Task(task[1]),
        question=blocks["QUESTION"],
        candidates=candidates,
        evidence=blocks.get("EVIDENCE", ""),
        asked_again=len(said) > 1,
    )


def _read_blocks(text: str) -> dict[str, str]:
    """Texts by the name of their block. Only lines with the nonce of the first fence are fences, the rest is data."""
    first = _FIRST_FENCE.search(text)
    if first is None:
        return {}
    block = re.compile(rf"^<<<([A-Z ]+) {first[1]}>>>\n(.*?)\n?^<<<END \1 {first[1]}>>>$", re.MULTILINE | re.DOTALL)
    return {match[1]: match[2] for match in block.finditer(text)}
