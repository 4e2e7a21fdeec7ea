"""What a run's answer was masked of, and the prompt as everybody but in-house members got it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluation.covers import Covered, cover_example
from evaluation.models import Answer, Call
from evaluation.scorers import ScoredExample
from panels.fusion.privacy.masking import MASKING_VERSION
from panels.fusion.types import Question
from panels.models import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceholderCount:
    """Placeholders in one reply, and how many of them stand for nothing; None where the model was shown none."""

    model: str
    total: int
    lost: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPrompt:
    """``fields`` were marked as sensitive, ``places`` counts what was masked, by kind.

    ``sent`` is None where the prompt was not masked and so not sent, or where it is masked otherwise today; then
    ``accepted`` are the references as they stand in the dataset. ``in_house`` names who was sent it unmasked.
    """

    fields: tuple[str, ...]
    places: Mapping[str, int]
    sent: Question | None
    accepted: tuple[str | None, ...]
    counts: tuple[PlaceholderCount, ...]
    in_house: tuple[str, ...]


def masked_prompt(
    answer: Answer, question: Question, *, calls: Iterable[Call], members: Iterable[Member]
) -> MaskedPrompt | None:
    """None for a live answer, and where its run masks nothing. ``question`` is as the dataset has it.

    ``calls`` and ``members`` come with their models.
    """
    note, example = answer.masking, answer.example
    if note is None or example is None:
        return None
    scored = ScoredExample(question=question, reference=example.reference, references=tuple(example.references))
    fields = tuple(note["fields"])
    covered = cover_example(scored, meta=example.meta, fields=fields) if note["version"] == MASKING_VERSION else None
    known = covered.scored if isinstance(covered, Covered) else None
    shown = known or scored
    return MaskedPrompt(
        fields=fields,
        places=dict(sorted(note["places"].items())),  # a database may keep them in another order
        sent=None if known is None else known.question,
        accepted=(shown.reference, *shown.references),
        counts=tuple(
            PlaceholderCount(model=call.model.name, total=call.placeholders, lost=call.placeholders_lost)
            for call in calls
            if call.placeholders is not None
        ),
        in_house=tuple(dict.fromkeys(member.model.name for member in members if member.in_house)),
    )
