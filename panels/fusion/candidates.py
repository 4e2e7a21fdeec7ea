"""What an arbiter is shown of the members' answers: anonymous, shuffled, cut, and fenced with a nonce.

Order and nonce come from a keyed hash of the content, not from chance: equal content makes an equal request, so that a
reply that was bought is found again, and yet no model can guess either of them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

from panels.fusion.outcomes import Degradation, MemberCall
from panels.fusion.types import AnswerKind, Member, Question

MAX_SHOWN_BYTES = 16_000
# No tokenizer in use spends more bytes on a token of prose; a longer answer is no answer of this member.
_BYTES_PER_TOKEN = 8
NONCE_DIGITS = 16
# A control character says nothing and is six in JSON; a blank in its place keeps the worst case three times lower.
_CONTROLS = {code: " " for code in range(32) if chr(code) not in "\n\r\t"}
_CLOSED = frozenset({AnswerKind.CHOICE, AnswerKind.LABEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One member's answer as it is shown. ``is_cut``: the end is missing."""

    letter: str
    seat: int
    text: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUp:
    """The candidates in the order in which they are shown, and the nonce (16 hex digits) of their fences."""

    nonce: str
    candidates: tuple[Candidate, ...]

    @property
    def seats(self) -> tuple[int, ...]:
        return tuple(candidate.seat for candidate in self.candidates)


def line_up(question: Question, calls: Sequence[MemberCall], *, secret: bytes) -> LineUp:
    """Every member that cast a ballot, whatever it says: the dissenter is never left out.

    Where a member stands depends on the secret and the question, not on what anybody answered.
    """
    voting = [call for call in calls if call.ballot.value is not None]
    texts = [shown_text(call) for call in voting]
    asked = _written(question)
    places = sorted(range(len(voting)), key=lambda place: _keyed(secret, "order", asked, str(place)))
    return LineUp(
        nonce=_free_nonce(_nonces(secret, asked, texts), [asked, *texts]),
        candidates=tuple(
            Candidate(letter=letter(rank), seat=voting[place].seat, text=texts[place], is_cut=is_cut(voting[place]))
            for rank, place in enumerate(places)
        ),
    )


def fenced(question: Question, lineup: LineUp) -> str:
    """The blocks of the user message. Fence lines stand alone; between them the data is verbatim."""
    blocks = [("QUESTION", question_text(question))]
    if question.kind in _CLOSED and question.choices:
        blocks.append(("CHOICES", "\n".join(question.choices)))
    if question.evidence.strip():
        blocks.append(("EVIDENCE", question.evidence))
    blocks += [(f"CANDIDATE {candidate.letter}", candidate.text) for candidate in lineup.candidates]
    return "\n\n".join(_block(name, text, lineup.nonce) for name, text in blocks)


def question_text(question: Question) -> str:
    """The messages that the members were given; with their roles, unless it is one message of the user."""
    messages = question.messages
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def shown_bytes(member: Member) -> int:
    """The most UTF-8 bytes of this member's answer that an arbiter is shown."""
    return min(MAX_SHOWN_BYTES, _BYTES_PER_TOKEN * member.sampling.max_tokens)


def shown_text(call: MemberCall) -> str:
    """The member's words, cut on a character's boundary; its ballot, where the recorded words are missing."""
    text = _words(call)
    return _encoded(text)[: shown_bytes(call.member)].decode("utf-8", "ignore") if is_cut(call) else text


def is_cut(call: MemberCall) -> bool:
    return len(_encoded(_words(call))) > shown_bytes(call.member)


def cut_candidates(calls: Sequence[MemberCall]) -> tuple[Degradation, ...]:
    """One entry for each seat whose answer is shown in part."""
    return tuple(
        Degradation(
            kind="candidate_cut",
            reason=f"{shown_bytes(call.member):,} of {len(_encoded(_words(call))):,} bytes shown to the arbiter",
            seat=call.seat,
        )
        for call in calls
        if call.ballot.value is not None and is_cut(call)
    )


def letter(rank: int) -> str:
    """A, B, … Z, AA, AB, …: the name of the candidate shown at ``rank``, counted from 0."""
    tens, ones = divmod(rank, len(ascii_uppercase))
    return (letter(tens - 1) if tens else "") + ascii_uppercase[ones]


def _words(call: MemberCall) -> str:
    words = call.ballot.text if call.ballot.text.strip() else str(call.ballot.value)
    return words.translate(_CONTROLS)


def _encoded(text: str) -> bytes:
    """As the wire does it: halves of a surrogate pair, which recorded data may hold, become question marks."""
    return text.encode("utf-8", "replace")


def _block(name: str, text: str, nonce: str) -> str:
    return f"<<<{name} {nonce}>>>\n{text}\n<<<END {name} {nonce}>>>"


def _written(question: Question) -> str:
    """All of the question that an arbiter sees, and its id, as one text that no other question has."""
    messages = [[message.role, message.content] for message in question.messages]
    return json.dumps([question.item_id, messages, question.kind, question.choices, question.evidence])


def _keyed(secret: bytes, *parts: str) -> str:
    return hmac.new(secret, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _nonces(secret: bytes, asked: str, texts: Sequence[str]) -> Iterator[str]:
    return (_keyed(secret, "nonce", asked, *texts, str(number))[:NONCE_DIGITS] for number in count())


def _free_nonce(nonces: Iterable[str], texts: Sequence[str]) -> str:
    """The first that occurs nowhere in what it is to fence."""
    shown = [text.casefold() for text in texts]
    return next(nonce for nonce in nonces if not any(nonce in text for text in shown))
