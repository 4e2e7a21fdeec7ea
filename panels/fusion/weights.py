"""What a member's vote weighs, from how often it was right on labelled data."""

from __future__ import annotations

import math

from panels.fusion.types import AnswerKind, Member, Question

OPEN_CHOICES = 20


def estimated_skill(*, correct: int, labelled: int) -> float:
    """The posterior mean (correct + 1) / (labelled + 2), always inside (0, 1) (Laplace's rule of succession)."""
    if not 0 <= correct <= labelled:
        msg = f"correct must lie between 0 and labelled, not {correct} of {labelled}"
        raise ValueError(msg)
    return (correct + 1) / (labelled + 2)


def skill_weight(skill: float, *, choices: int) -> float:
    """max(0, ln(p (K - 1) / (1 - p))), the log odds that make the weighted vote optimal for independent members.

    Source: Nitzan and Paroush 1982, for K choices with wrong votes spread evenly over the other K - 1.
    """
    odds = skill * (choices - 1) / (1 - skill)
    return max(0.0, math.log(odds)) if odds > 0 else 0.0


def member_weight(member: Member, *, question: Question) -> float:
    """The member's weight for this question: from its skill where that was estimated, else as set by hand."""
    if member.skill is None:
        return member.weight
    return skill_weight(member.skill, choices=_choice_count(question))


def _choice_count(question: Question) -> int:
    closed = question.kind in {AnswerKind.CHOICE, AnswerKind.LABEL}
    return len(question.choices) if closed and question.choices else OPEN_CHOICES
