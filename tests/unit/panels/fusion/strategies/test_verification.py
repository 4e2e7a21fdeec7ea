from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.arbiter_reply import read_object_of
from panels.fusion.arbitration import Claim, Finding, Mark, Stance, Verification
from panels.fusion.candidates import Candidate, LineUp
from panels.fusion.outcomes import Degradation, Final, Vote
from panels.fusion.strategies.verification import read_verification, verification_schema, verified
from panels.fusion.types import AnswerKind, Question
from tests.unit.panels.fusion.arbitrated import (
    EVIDENCE,
    asked,
    vote_of,
    written_claim,
    written_verification,
)

NOTHING = Degradation(kind="nothing_supported", reason="the arbiter found support for none of the claims")
TEXTS = ("It opened in 1932", "It opened in 1933", "It is long")
SPAN = "opened in 1932"


def lineup_of(vote: Vote) -> LineUp:
    """The seats backwards: A is the last."""
    shown = reversed([call for call in vote.calls if call.ballot.value is not None])
    return LineUp(
        nonce="0" * 16,
        candidates=tuple(
            Candidate(letter="ABCDE"[rank], seat=call.seat, text=call.ballot.text) for rank, call in enumerate(shown)
        ),
    )


def read(*claims: dict[str, Any], question: Question | None = None, vote: Vote | None = None) -> Verification:
    question = question or asked()
    vote = vote or vote_of(question, *TEXTS)
    lineup = lineup_of(vote)
    schema = verification_schema([candidate.letter for candidate in lineup.candidates])
    found = read_object_of(written_verification(*claims), schema=schema)
    assert isinstance(found, dict)
    return read_verification(found, question=question, tally=vote.tally, lineup=lineup)


def final_of(*claims: dict[str, Any], texts: tuple[str, ...] = TEXTS, cut: tuple[int, ...] = ()) -> Final | Degradation:
    vote = vote_of(asked(), *texts)
    return verified(read(*claims, vote=vote), question=asked(), tally=vote.tally, cut=cut)


# Reading


def test_a_claim_has_a_mark_for_every_seat_in_the_order_shown() -> None:
    marks = [
        {"candidate": "C", "stance": "supports", "quote": "OPENED in  1932"},
        {"candidate": "B", "stance": "contradicts", "quote": "opened in 1066"},
    ]
    claim = {
        "claim": " It opened\nin 1932 ",
        "finding": "supported",
        "quote": "was opened in 1932",
        "candidates": marks,
    }
    assert read(claim).claims == (
        Claim(
            text="It opened in 1932",
            finding=Finding.SUPPORTED,
            marks=(
                Mark(seat=2, stance=Stance.SILENT),
                Mark(seat=1, stance=Stance.CONTRADICTS, quote="opened in 1066", quote_found=False),
                Mark(seat=0, stance=Stance.SUPPORTS, quote="OPENED in  1932", quote_found=True),
            ),
            quote="was opened in 1932",
            quote_found=True,
        ),
    )


@pytest.mark.parametrize("said", [Finding.SUPPORTED, Finding.CONTRADICTED])
@pytest.mark.parametrize("quote", ["opened in 1066", "", "."])
def test_a_finding_without_its_span_in_the_evidence_counts_as_not_found(said: Finding, quote: str) -> None:
    (claim,) = read(written_claim("c", said.value, quote, C="supports")).claims
    assert (claim.finding, claim.said) == (Finding.NOT_FOUND, said)
    assert (claim.quote, claim.quote_found) == (quote, False)


def test_what_was_said_not_to_be_found_stays_so() -> None:
    (claim,) = read(written_claim("c", "not_found", SPAN, C="supports")).claims
    assert (claim.finding, claim.said, claim.quote_found) == (Finding.NOT_FOUND, None, True)


def test_without_evidence_the_arbiters_finding_counts() -> None:
    question = asked(evidence=" ")
    (claim,) = read(written_claim("c", "contradicted", "made up", C="supports"), question=question).claims
    assert (claim.finding, claim.said, claim.quote_found) == (Finding.CONTRADICTED, None, False)


def test_a_candidate_that_is_named_twice_is_taken_at_its_first_word() -> None:
    claim = written_claim("c", "not_found", C="contradicts")
    claim["candidates"].append({"candidate": "C", "stance": "supports"})
    claim["quote"] = None
    (read_claim,) = read(claim).claims
    assert read_claim.seats(Stance.CONTRADICTS) == (0,)
    assert (read_claim.supporters, read_claim.quote) == ((), "")


# Ranking


def ranking(*claims: dict[str, Any], texts: tuple[str, ...] = TEXTS) -> tuple[int, ...]:
    return read(*claims, vote=vote_of(asked(), *texts)).ranking


def test_seats_are_ranked_by_supported_claims_less_contradicted_ones() -> None:
    assert ranking(
        written_claim("1932", "supported", SPAN, C="supports", B="supports"),
        written_claim("1933", "contradicted", SPAN, C="supports"),
        written_claim("lanes", "supported", "eight lanes", A="supports"),
        written_claim("Lang", "supported", "by J. Lang", A="supports", C="contradicts"),
    ) == (2, 1, 0)


def test_of_equals_the_one_with_fewer_claims_that_were_not_found_comes_first() -> None:
    assert ranking(
        written_claim("1932", "supported", SPAN, C="supports", A="supports"),
        written_claim("cost", "not_found", C="supports"),
    ) == (2, 0, 1)


def test_what_is_equal_stays_in_the_order_of_the_vote() -> None:
    # The two that open win; of alike answers the one in the middle of them speaks for all.
    opening = ("It is long", "It opened in 1932", "It opened 1932")
    assert ranking(written_claim("cost", "not_found"), texts=opening) == (1, 2, 0)
    storms = ("storm closes harbour ferry", "storm closes harbour", "storm harbour closes today")
    assert ranking(written_claim("cost", "not_found"), texts=storms) == (1, 0, 2)


# The answer


def test_free_text_whose_claims_are_all_supported_is_given_as_it_is() -> None:
    final = final_of(
        written_claim("It opened in 1932", "supported", SPAN, C="supports"),
        written_claim("It opened in 1933", "contradicted", SPAN, B="supports"),
    )
    assert final == Final(value=TEXTS[0], text=TEXTS[0], seat=0)


def test_free_text_with_a_claim_that_is_not_supported_is_put_together_from_what_is() -> None:
    final = final_of(
        written_claim("It opened in 1932", "supported", SPAN, C="supports"),
        written_claim("It cost 3 million", "not_found", C="supports", B="supports"),
        written_claim("It has eight lanes!", "supported", "eight lanes", B="supports"),
        written_claim("It opened in 1932", "supported", SPAN, A="supports"),
        written_claim("It opened in 1066", "contradicted", SPAN, A="supports"),
    )
    text = "It opened in 1932. It has eight lanes!"
    assert final == Final(value=text, text=text, seat=None)


def test_words_that_deny_what_is_supported_are_not_given() -> None:
    final = final_of(
        written_claim("It opened in 1932", "supported", SPAN, C="supports", B="supports"),
        written_claim("Lang built it", "supported", "by J. Lang", C="contradicts", B="contradicts", A="supports"),
    )
    assert isinstance(final, Final)
    assert (final.seat, final.text) == (None, "It opened in 1932. Lang built it.")


def test_words_of_which_a_part_was_not_shown_are_not_given() -> None:
    final = final_of(written_claim("It opened in 1932", "supported", SPAN, C="supports"), cut=(0,))
    assert final == Final(value="It opened in 1932.", text="It opened in 1932.", seat=None)


def test_the_best_seat_needs_a_claim_of_its_own() -> None:
    final = final_of(
        written_claim("It opened in 1932", "supported", SPAN, C="supports"),
        written_claim("It cost 3 million", "contradicted", "1,149", C="supports"),
        written_claim("It is closed", "contradicted", "carries eight lanes", C="supports"),
    )
    assert final == Final(value="It opened in 1932.", text="It opened in 1932.", seat=None)


@pytest.mark.parametrize(
    "claim",
    [
        written_claim("c", "not_found", C="supports"),
        written_claim("c", "contradicted", SPAN, C="supports"),
        written_claim("c", "supported", "made up", C="supports"),
        written_claim("c", "supported", SPAN, C="contradicts"),
    ],
)
def test_without_a_supported_claim_that_a_member_makes_there_is_no_answer(claim: dict[str, Any]) -> None:
    assert final_of(claim) == NOTHING


@pytest.mark.parametrize(
    ("kind", "texts", "value"),
    [
        (AnswerKind.CHOICE, ("The answer is (B).", "A", "A"), "B"),
        (AnswerKind.LABEL, ("B", "A", "A"), "B"),
        (AnswerKind.NUMBER, ("1932 m", "7", "7"), 1932.0),
        (AnswerKind.SHORT, ("eight lanes", "two", "two"), "eight lanes"),
    ],
)
def test_other_kinds_answer_with_the_best_seats_ballot(
    kind: AnswerKind, texts: tuple[str, ...], value: str | float
) -> None:
    question = asked(kind, choices=("A", "B"))
    vote = vote_of(question, *texts)
    claims = (
        written_claim("first", "supported", SPAN, C="supports", B="contradicts"),
        written_claim("unsure", "not_found", C="supports"),
    )
    final = verified(read(*claims, question=question, vote=vote), question=question, tally=vote.tally, cut=(0,))
    assert final == Final(value=value, text=texts[0], seat=0)


findings = st.sampled_from(list(Finding))
stances = st.sampled_from(list(Stance))
quotes = st.sampled_from([SPAN, "eight lanes", "made up", "", EVIDENCE])


@st.composite
def analyses(draw: st.DrawFn, seats: int) -> list[dict[str, Any]]:
    """Claims “claim 0 of the list”, “claim 1 …”, none of which is part of another."""
    return [
        {
            "claim": f"claim {number} of the list",
            "finding": draw(findings).value,
            "quote": draw(quotes),
            "candidates": [{"candidate": "ABCDE"[rank], "stance": draw(stances).value} for rank in range(seats)],
        }
        for number in range(draw(st.integers(1, 6)))
    ]


@given(data=st.data(), seats=st.integers(1, 5), with_evidence=st.booleans())
def test_no_answer_holds_a_claim_that_is_not_supported(data: st.DataObject, seats: int, with_evidence: bool) -> None:
    question = asked(evidence=EVIDENCE if with_evidence else "")
    claims = data.draw(analyses(seats))
    # Each seat says just what it is marked to support; A is the last seat.
    said = [
        " ".join(row["claim"] for row in claims if row["candidates"][seats - 1 - seat]["stance"] == "supports")
        for seat in range(seats)
    ]
    vote = vote_of(question, *(text or f"nothing {seat}" for seat, text in enumerate(said)))
    verification = read(*claims, question=question, vote=vote)
    final = verified(verification, question=question, tally=vote.tally, cut=data.draw(st.sets(st.integers(0, 4))))
    supported = {claim.text for claim in verification.having(Finding.SUPPORTED) if claim.supporters}
    assert isinstance(final, Degradation) is not bool(supported)
    if isinstance(final, Final):
        stated = {row["claim"] for row in claims if row["claim"] in final.text}
        assert stated <= supported
        assert stated if final.seat is not None else stated == supported
    assert sorted(verification.ranking) == list(range(seats))
