"""What a simulated arbiter thinks of the candidates: their statements, who makes them, and which it takes for true.

It knows no more than its planted skill lets it. Of each thing that an item is about (a fact, or the answer) it sees the
truth with probability ``judging``, by the same difficulty that members share; where it does not see it, it takes wrong
for right, or finds nothing. Who a candidate is and what it asks of the arbiter changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from panels.simulator.answer_key import KeyItem
from panels.simulator.brief import Brief
from panels.simulator.chance import Draws, draw, draw_uniforms
from panels.simulator.model import SimulatedModel
from panels.simulator.statements import Gist, find_sentences, gist_of, overlap, share_said

_CONFUSED_SHARE = 0.5
_RIVAL_OVERLAP = 0.6
_SAID_SHARE = 0.8
_BRIEF_WORDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the key says of a statement: the number of the fact it is about (0: the answer), and whether it is right."""

    subject: int
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one or more candidates say. ``spans`` are their own words by letter; ``truth`` is None where unknown.

    ``alone``: it is all that the first of them says, in a few words.
    """

    gist: Gist
    spans: Mapping[str, str]
    truth: Truth | None = None
    alone: bool = False

    @property
    def text(self) -> str:
        return next(iter(self.spans.values()))

    def rivals(self, other: Statement) -> bool:
        """Whether the two cannot both be true."""
        if self.gist == other.gist:
            return False
        if self.truth and other.truth:
            return self.truth.subject == other.truth.subject and not (self.truth.right and other.truth.right)
        return (self.alone and other.alone) or overlap(self.gist, other.gist) >= _RIVAL_OVERLAP


def gather_statements(brief: Brief, item: KeyItem | None) -> list[Statement]:
    """Each statement once, in the order in which the candidates make them."""
    spans: dict[Gist, dict[str, str]] = {}
    alone: dict[Gist, bool] = {}
    for letter, text in brief.candidates.items():
        sentences = find_sentences(text)
        for sentence in sentences:
            gist = gist_of(sentence)
            spans.setdefault(gist, {}).setdefault(letter, sentence)
            alone.setdefault(gist, len(sentences) == 1 and len(sentence.split()) <= _BRIEF_WORDS)
    known = _known_gists(item) if item else ()
    return [
        Statement(gist=gist, spans=said, truth=_truth_of(gist, known), alone=alone[gist])
        for gist, said in spans.items()
    ]


_Known = tuple[tuple[Gist, Truth], ...]


def _known_gists(item: KeyItem) -> _Known:
    return tuple((gist_of(text), truth) for text, truth in _known_texts(item))


def _known_texts(item: KeyItem) -> Iterator[tuple[str, Truth]]:
    for number, fact in enumerate(item.facts):
        yield fact.sentence, Truth(subject=number, right=True)
        yield fact.wrong, Truth(subject=number, right=False)
    if not item.facts:
        yield item.reference, Truth(subject=0, right=True)
        yield from ((wrong, Truth(subject=0, right=False)) for wrong in item.wrong)


def _truth_of(gist: Gist, known: Iterable[tuple[Gist, Truth]]) -> Truth | None:
    """What says exactly this; else what is said in it, if that is clear."""
    within = [(said, truth) for said, truth in known if said and said <= gist]
    longest = max((len(said) for said, _ in within), default=0)
    truths = {truth for said, truth in within if len(said) == longest}
    return truths.pop() if len(truths) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Judge:
    """One model at one question. Its judgement does not depend on order, letters or nonce.

    Not slotted: it keeps what it has worked out.
    """

    model: SimulatedModel
    brief: Brief
    item: KeyItem | None
    seed: int
    request_seed: int | None = None

    @cached_property
    def statements(self) -> list[Statement]:
        return gather_statements(self.brief, self.item)

    @cached_property
    def disputes(self) -> list[list[Statement]]:
        """Statements that cannot all be true, a group for each thing that is disputed."""
        groups: list[list[Statement]] = []
        for statement in self.statements:
            home = next((group for group in groups if group[0].rivals(statement)), None)
            if home is None:
                groups.append([statement])
            else:
                home.append(statement)
        return [group for group in groups if len(group) > 1]

    def draws(self, *what: object) -> Draws:
        question = self.item.id if self.item else " ".join(self.brief.question.split())
        return draw("arbiter", self.seed, self.model.id, self.request_seed, question, *what)

    def sees(self, subject: int, item: KeyItem) -> bool:
        """Whether it can tell what is true of this, when it is shown it."""
        return self._is_up_to(subject, item, self.model.judging_in(item.topic))

    def knows(self, item: KeyItem) -> bool:
        """Whether it would have found the answer by itself."""
        return self._is_up_to(0, item, self.model.skill_in(item.topic))

    def _is_up_to(self, subject: int, item: KeyItem, probability: float) -> bool:
        own = self.draws(subject)
        shared = draw_uniforms(self.seed, item.topic, item.id, *((subject,) if item.facts else ()))[0]
        difficulty = shared if own.follows_shared < self.model.shared_error_share else own.private_difficulty
        return difficulty < probability

    def believes(self, statement: Statement) -> bool | None:
        """Whether it takes the statement for true; None if it cannot tell."""
        if statement.truth is None or self.item is None:
            return self._believes_unknown(statement)
        if self.sees(statement.truth.subject, self.item):
            return statement.truth.right
        confused = self.draws(statement.truth.subject).which_wrong < _CONFUSED_SHARE
        return not statement.truth.right if confused else None

    def _believes_unknown(self, statement: Statement) -> bool | None:
        if self.brief.evidence:
            return True if share_said(self.brief.evidence, statement.gist) >= _SAID_SHARE else None
        if self.item or self.favourite is None:
            return None
        if statement.rivals(self.favourite):
            return False
        return True if statement.gist == self.favourite.gist else None

    @cached_property
    def favourite(self) -> Statement | None:
        """What it goes by where nothing says what is right: the statement of most candidates, else the luckiest."""
        return max(self.statements, key=self.favour, default=None)

    def favour(self, statement: Statement) -> tuple[int, float]:
        return len(statement.spans), self.draws(sorted(statement.gist)).pick
