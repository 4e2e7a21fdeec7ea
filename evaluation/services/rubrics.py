"""The rubric of a session: its questions, numbered and hashed, so that a vote can say what it answered."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db.models import Max

from evaluation.models import RubricVersion
from evaluation.services.review_sheets import CHIP_KINDS

_FACTS = (
    (1, "All supported"),
    (2, "Minor slip"),
    (3, "Major error"),
    (4, "Harmful"),
    (5, "Can’t tell"),
)
_PREFERENCE = (
    (1, "A much better"),
    (2, "A a bit better"),
    (3, "Same"),
    (4, "B a bit better"),
    (5, "B much better"),
    (0, "Both unusable"),
)
_WITHOUT_STRENGTH = ((2, "A better"), (3, "Same"), (4, "B better"))
STANDARD_NAME = "Facts and preference"


def standard_rubric(*, now: datetime) -> RubricVersion:
    """Facts in A, facts in B, preference; made when it is first asked for."""
    return _rubric(STANDARD_NAME, _standard_questions(), now)


def preference_rubric(*, now: datetime, with_strength: bool) -> RubricVersion:
    """Preference alone, as an imported pair file has it; without strength it says which one is better, not how much."""
    [question] = _standard_questions()[2:]
    if with_strength:
        return _rubric("Preference", [question], now)
    return _rubric("Preference without strength", [question | {"levels": _levels(_WITHOUT_STRENGTH)}], now)


def _standard_questions() -> list[dict[str, Any]]:
    facts, preference = _levels(_FACTS), _levels(_PREFERENCE)
    marks = [{"value": value, "label": label} for value, label in CHIP_KINDS.items()]
    return [
        {"key": "facts_a", "title": "Facts in A", "levels": facts, "marks": marks},
        {"key": "facts_b", "title": "Facts in B", "levels": facts, "marks": marks},
        {"key": "preference", "title": "Which is better overall?", "levels": preference},
    ]


def _levels(levels: tuple[tuple[int, str], ...]) -> list[dict[str, Any]]:
    return [{"value": value, "label": label} for value, label in levels]


def next_rubric() -> RubricVersion:
    """The standard one as a session made now would have it; not stored where no session has used it."""
    return _known_or_new(STANDARD_NAME, _standard_questions())


def _rubric(name: str, questions: list[dict[str, Any]], now: datetime) -> RubricVersion:
    wanted = _known_or_new(name, questions)
    fields = {"name": wanted.name, "number": wanted.number, "questions": wanted.questions, "created_at": now}
    return RubricVersion.objects.get_or_create(sha256=wanted.sha256, defaults=fields)[0]


def _known_or_new(name: str, questions: list[dict[str, Any]]) -> RubricVersion:
    text = json.dumps(questions, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = RubricVersion.objects.filter(sha256=digest).first()
    if known is not None:
        return known
    latest = RubricVersion.objects.filter(name=name).aggregate(latest=Max("number"))["latest"] or 0
    return RubricVersion(name=name, number=latest + 1, questions=questions, sha256=digest)
