"""Which strategy applies where the panel leaves it open: by what is asked, and by who is there to answer."""

from __future__ import annotations

from dataclasses import dataclass

from panels.fusion.prompts import PROMPTS
from panels.fusion.types import AnswerKind, Arbiter, Panel, Question, StrategyName

# What can be counted is counted; an arbiter has nothing to add to a letter.
_VOTED_ON = frozenset({AnswerKind.CHOICE, AnswerKind.LABEL, AnswerKind.NUMBER, AnswerKind.JSON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The strategy that applies, and why; no reason where the panel version names it."""

    strategy: StrategyName
    reason: str = ""


def choose_strategy(question: Question, panel: Panel) -> Choice:
    """The panel's own strategy, or what ``AUTO`` stands for.

    Kinds that can be counted are voted on, and so is everything where the panel has no arbiter. Other answers are
    verified where there is evidence to check them against, else synthesised.
    """
    if panel.strategy is not StrategyName.AUTO:
        return Choice(strategy=panel.strategy)
    if question.kind in _VOTED_ON:
        return _vote(panel, f"answers of kind {question.kind.value} can be counted")
    if panel.arbiter is None:
        return _vote(panel, "the panel has no arbiter")
    return _arbitrated(question, panel.arbiter)


def _vote(panel: Panel, why: str) -> Choice:
    members = panel.members
    if any(member.skill is not None for member in members):
        return Choice(strategy=StrategyName.WEIGHTED, reason=f"{why}, and members have an estimated skill")
    if len({member.weight for member in members}) > 1:
        return Choice(strategy=StrategyName.WEIGHTED, reason=f"{why}, and members differ in weight")
    return Choice(strategy=StrategyName.MAJORITY, reason=f"{why}, and all members weigh the same")


def _arbitrated(question: Question, arbiter: Arbiter) -> Choice:
    checkable = bool(question.evidence.strip())
    fitting = StrategyName.VERIFICATION if checkable else StrategyName.SYNTHESIS
    why = "there is evidence to check the answers against" if checkable else "there is no evidence to check against"
    texts = PROMPTS.get(arbiter.prompt, {})
    if fitting in texts or not texts:
        return Choice(strategy=fitting, reason=why)
    return Choice(strategy=next(iter(texts)), reason=f"the arbiter's prompt {arbiter.prompt} is for nothing else")
