"""What a reviewer fills in for one item, and what may stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.models import ReviewItem, ReviewVote
from evaluation.selectors.review_queue import SAYS_NOTHING

CHIP_KINDS = {
    "contradicts_evidence": "Contradicts the evidence",
    "unsupported_false": "Not in the evidence, false",
    "unsupported_true": "Not in the evidence, true",
    "wrong_detail": "Wrong name, number or date",
    "wrong_relation": "Wrong relation",
    "invented_source": "Invented source",
    "outdated": "Out of date",
}
MOST_CHIPS, LONGEST_SENTENCE, LONGEST_NOTE = 60, 1_000, 4_000
_LONGEST_S = 24 * 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A sentence that the reviewer marked: on side ``a`` or ``b``, counted from 0, and what is wrong with it."""

    side: str
    sentence: int
    text: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The answers to one item as the page shows it; levels as ``ReviewVote`` has them, ``seconds`` on the screen."""

    facts_a: int | None
    facts_b: int | None
    preference: int | None
    unsure: bool = False
    flagged: bool = False
    note: str = ""
    chips: tuple[Chip, ...] = ()
    seconds: float | None = None

    def columns(self) -> dict[str, Any]:
        """As the columns of a vote."""
        values = asdict(self) | {"chips": [asdict(chip) for chip in self.chips]}
        seconds = self.seconds
        return values | {"seconds": None if seconds is None else min(max(seconds, 0.0), _LONGEST_S)}

    def says(self, vote: ReviewVote) -> bool:
        """Whether the vote holds the same answers; how long they took is not one."""
        return all(getattr(vote, name) == value for name, value in self.columns().items() if name != "seconds")


class InvalidSheet(Exception):
    """Answers that cannot be stored. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(message for _, message in problems))


def judged_sides(item: ReviewItem, *, first_is_a: bool) -> tuple[bool, bool]:
    """Whether the facts of A and of B are to be judged: a refusal and an empty answer state none."""
    first, second = item.first_state not in SAYS_NOTHING, item.second_state not in SAYS_NOTHING
    return (first, second) if first_is_a else (second, first)


def require_valid(sheet: Sheet, item: ReviewItem, *, first_is_a: bool) -> None:
    """Raises InvalidSheet with everything that is wrong."""
    problems = [*_level_problems(sheet, item, first_is_a), *_chip_problems(sheet)]
    if len(sheet.note) > LONGEST_NOTE:
        problems.append(("note", f"Keep the note under {LONGEST_NOTE:,} characters."))
    if problems:
        raise InvalidSheet(problems)


def _level_problems(sheet: Sheet, item: ReviewItem, first_is_a: bool) -> Iterator[tuple[str, str]]:
    sides = zip("ab", (sheet.facts_a, sheet.facts_b), judged_sides(item, first_is_a=first_is_a), strict=True)
    for side, level, judged in sides:
        if judged and level not in range(1, 6):
            yield f"facts_{side}", f"Rate the facts in {side.upper()} from 1 to 5."
        if not judged and level is not None:
            yield f"facts_{side}", f"{side.upper()} is no answer, so it has no facts to rate."
    if sheet.preference not in range(6):
        yield "preference", "Say which one is better, from 1 to 5, or 0 if both are unusable."


def _chip_problems(sheet: Sheet) -> Iterator[tuple[str, str]]:
    levels = {"a": sheet.facts_a, "b": sheet.facts_b}
    if len(sheet.chips) > MOST_CHIPS:
        yield "chips", f"Mark at most {MOST_CHIPS} sentences."
    for chip in sheet.chips:
        if chip.side not in levels or chip.kind not in CHIP_KINDS or chip.sentence < 0:
            yield "chips", "A mark names a sentence of A or B and one of the kinds of error."
        elif levels[chip.side] not in {3, 4}:
            yield "chips", "Sentences are marked only after a major or harmful error."
        elif len(chip.text) > LONGEST_SENTENCE:
            yield "chips", f"A marked sentence has at most {LONGEST_SENTENCE:,} characters."
