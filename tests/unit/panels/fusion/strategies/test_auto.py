from __future__ import annotations

from dataclasses import replace

import pytest

from panels.fusion.strategies.auto import Choice, choose_strategy
from panels.fusion.types import AnswerKind, Member, Stage, StrategyName
from tests.unit.panels.fusion.arbitrated import arbiter, arbitrated_panel, asked

AUTO = arbitrated_panel("a", "b", strategy=StrategyName.AUTO)
OPEN_KINDS = [AnswerKind.SHORT, AnswerKind.TEXT]
COUNTED_KINDS = [AnswerKind.CHOICE, AnswerKind.LABEL, AnswerKind.NUMBER, AnswerKind.JSON]


@pytest.mark.parametrize("strategy", [name for name in StrategyName if name is not StrategyName.AUTO])
def test_a_strategy_that_is_named_applies_without_a_reason(strategy: StrategyName) -> None:
    assert choose_strategy(asked(), replace(AUTO, strategy=strategy)) == Choice(strategy=strategy)


@pytest.mark.parametrize("kind", COUNTED_KINDS)
def test_what_can_be_counted_is_counted(kind: AnswerKind) -> None:
    choice = choose_strategy(asked(kind), AUTO)
    why = f"answers of kind {kind.value} can be counted, and all members weigh the same"
    assert choice == Choice(strategy=StrategyName.MAJORITY, reason=why)


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (Member(model="c", skill=0.5), "members have an estimated skill"),
        (Member(model="c", weight=2.0), "members differ in weight"),
    ],
)
def test_members_that_differ_are_weighed(member: Member, why: str) -> None:
    panel = replace(AUTO, stages=(*AUTO.stages, Stage(members=(member,))))
    choice = choose_strategy(asked(AnswerKind.LABEL), panel)
    assert choice.strategy is StrategyName.WEIGHTED
    assert choice.reason == f"answers of kind label can be counted, and {why}"


@pytest.mark.parametrize("kind", OPEN_KINDS)
def test_open_answers_are_verified_where_there_is_evidence_else_synthesised(kind: AnswerKind) -> None:
    with_evidence = choose_strategy(asked(kind), AUTO)
    assert with_evidence.strategy is StrategyName.VERIFICATION
    assert with_evidence.reason == "there is evidence to check the answers against"
    without = choose_strategy(asked(kind, evidence=" "), AUTO)
    assert without.strategy is StrategyName.SYNTHESIS
    assert without.reason == "there is no evidence to check against"


@pytest.mark.parametrize("kind", OPEN_KINDS)
def test_without_an_arbiter_everything_is_voted_on(kind: AnswerKind) -> None:
    choice = choose_strategy(asked(kind), replace(AUTO, arbiter=None))
    why = "the panel has no arbiter, and all members weigh the same"
    assert choice == Choice(strategy=StrategyName.MAJORITY, reason=why)


def test_an_arbiter_with_one_text_is_asked_for_that() -> None:
    synthesiser = replace(AUTO, arbiter=arbiter("synthesis-1"))
    choice = choose_strategy(asked(), synthesiser)
    why = "the arbiter's prompt synthesis-1 is for nothing else"
    assert choice == Choice(strategy=StrategyName.SYNTHESIS, reason=why)
    verifier = replace(AUTO, arbiter=arbiter("verification-1"))
    assert choose_strategy(asked(evidence=""), verifier).strategy is StrategyName.VERIFICATION


def test_an_unknown_prompt_changes_no_choice() -> None:
    # Asking it will fail, and the answer will say so.
    panel = replace(AUTO, arbiter=arbiter("unheard-of"))
    assert choose_strategy(asked(), panel).strategy is StrategyName.VERIFICATION
