from __future__ import annotations

from dataclasses import replace

import pytest

from panels.fusion.arbitration import (
    Analysis,
    Claim,
    Contradiction,
    Dissent,
    Finding,
    Mark,
    Stance,
    Stand,
    Synthesis,
    Verification,
)
from panels.fusion.fuse import fused_by_vote
from panels.fusion.minority import minority_report
from panels.fusion.outcomes import Arbitration, Final, Fused
from panels.fusion.types import AnswerKind, Failure, FailureKind, StrategyName
from tests.unit.panels.fusion.arbitrated import asked, vote_of

DEAD = Failure(kind=FailureKind.TIMEOUT, detail="no first byte")
CHOICE = asked(AnswerKind.CHOICE, choices=("A", "B", "C"))


def fused_of(*results: str | Failure, kind: AnswerKind = AnswerKind.CHOICE, analysis: Analysis | None = None) -> Fused:
    question = CHOICE if kind is AnswerKind.CHOICE else asked(kind)
    fused = fused_by_vote(vote_of(question, *results), strategy=StrategyName.VERIFICATION)
    if analysis is None:
        return fused
    return replace(fused, arbitration=Arbitration(calls=(), seats=(0, 1, 2), analysis=analysis))


def over_the_answer(*said: tuple[int, str]) -> tuple[Dissent, ...]:
    return tuple(Dissent(seat=seat, topic="the answer", says=says) for seat, says in said)


def test_every_ballot_outside_the_winning_group_dissents() -> None:
    assert minority_report(fused_of("B", "C", "B", "A")) == over_the_answer((1, "C"), (3, "A"))


def test_abstentions_and_failures_do_not_dissent() -> None:
    assert minority_report(fused_of("B", DEAD, "no idea")) == ()
    assert minority_report(fused_of(DEAD, DEAD)) == ()


def test_numbers_are_written_as_they_are_read() -> None:
    fused = fused_of("7", "7", "1,932", "0.1", kind=AnswerKind.NUMBER)
    assert minority_report(fused) == over_the_answer((2, "1932"), (3, "0.1"))


@pytest.mark.parametrize(
    "final",
    [Final(value="C", text="The answer is C.", seat=1), Final(value="C", text="C", seat=None)],
)
def test_where_an_arbiter_overruled_the_vote_its_majority_dissents(final: Final) -> None:
    fused = replace(fused_of("B", "C", "B"), final=final)
    assert minority_report(fused) == over_the_answer((0, "B"), (2, "B"))


def test_of_an_answer_that_nobody_gave_the_losers_of_the_vote_dissent() -> None:
    fused = replace(fused_of("B", "C", "B"), final=Final(value="A", text="A"))
    assert minority_report(fused) == over_the_answer((1, "C"))


def test_who_says_the_same_in_other_words_does_not_dissent() -> None:
    short = replace(
        fused_of("Lang", "The Baird Co.", "Lang", kind=AnswerKind.SHORT), final=Final(value="baird co", text="")
    )
    assert minority_report(short) == over_the_answer((0, "Lang"), (2, "Lang"))
    number = replace(fused_of("7", "1000", "7", kind=AnswerKind.NUMBER), final=Final(value=1000.0005, text=""))
    assert minority_report(number) == over_the_answer((0, "7"), (2, "7"))


def test_two_letters_are_not_the_same_because_both_are_short() -> None:
    fused = replace(fused_of("B", "A", "B"), final=Final(value="the", text=""))
    assert minority_report(fused) == over_the_answer((1, "A"))


def mark(seat: int, stance: Stance, quote: str = "", *, found: bool = True) -> Mark:
    return Mark(seat=seat, stance=stance, quote=quote, quote_found=found)


def test_who_denies_what_is_supported_or_claims_what_is_contradicted_is_quoted() -> None:
    rows = (mark(0, Stance.SUPPORTS, "yes"), mark(1, Stance.CONTRADICTS, "no"), mark(2, Stance.SILENT))
    made_up = (mark(0, Stance.SUPPORTS, "made up", found=False),)
    analysis = Verification(
        claims=(
            Claim(text="one", finding=Finding.SUPPORTED, marks=rows),
            Claim(text="two", finding=Finding.CONTRADICTED, marks=rows),
            Claim(text="three", finding=Finding.NOT_FOUND, marks=rows),
            Claim(text="four", finding=Finding.CONTRADICTED, marks=made_up),
        ),
        ranking=(0, 1, 2),
    )
    assert minority_report(fused_of("B", "B", "B", analysis=analysis)) == (
        Dissent(seat=1, topic="one", says="denies a claim that is supported", quote="no"),
        Dissent(seat=0, topic="two", says="makes a claim that is contradicted", quote="yes"),
        Dissent(seat=0, topic="four", says="makes a claim that is contradicted"),
    )


def test_every_stance_on_a_disputed_topic_is_told() -> None:
    stands = (Stand(seat=2, stance="1932"), Stand(seat=0, stance="1933"))
    analysis = Synthesis(answer="B", contradictions=(Contradiction(topic="the year", stands=stands),))
    assert minority_report(fused_of("B", "B", "C", analysis=analysis)) == (
        *over_the_answer((2, "C")),
        Dissent(seat=2, topic="the year", says="1932"),
        Dissent(seat=0, topic="the year", says="1933"),
    )


def test_an_arbiter_that_found_nothing_adds_nothing() -> None:
    fused = replace(fused_of("B", "C", "B"), arbitration=Arbitration(calls=(), seats=(0, 1, 2), problem="timeout"))
    assert minority_report(fused) == over_the_answer((1, "C"))
