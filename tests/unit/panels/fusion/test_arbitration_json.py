from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.fusion.arbitration import (
    Claim,
    Contradiction,
    Finding,
    Insight,
    Mark,
    PartialCoverage,
    PromptRef,
    Stance,
    Stand,
    Synthesis,
    Verification,
)
from panels.fusion.arbitration_json import StoredArbitration, from_json, stored, to_json
from panels.fusion.outcomes import ArbiterCall, Arbitration
from panels.fusion.types import Reply
from tests.unit.panels.fusion.arbitrated import arbiter

seats = st.integers(0, 30)
texts = st.text(max_size=20)
some_seats = st.lists(seats, max_size=4).map(tuple)


def tuples(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, max_size=4).map(tuple)


marks = st.builds(Mark, seat=seats, stance=st.sampled_from(Stance), quote=texts, quote_found=st.booleans())
claims = st.builds(
    Claim,
    text=texts,
    finding=st.sampled_from(Finding),
    marks=tuples(marks),
    quote=texts,
    quote_found=st.booleans(),
    said=st.none() | st.sampled_from(Finding),
)
stands = st.builds(Stand, seat=seats, stance=texts)
verifications = st.builds(Verification, claims=tuples(claims), ranking=some_seats)
syntheses = st.builds(
    Synthesis,
    answer=texts,
    consensus=tuples(texts),
    contradictions=tuples(st.builds(Contradiction, topic=texts, stands=tuples(stands))),
    partial_coverage=tuples(st.builds(PartialCoverage, seats=some_seats, point=texts)),
    unique_insights=tuples(st.builds(Insight, seat=seats, insight=texts)),
    blind_spots=tuples(texts),
)
calls = st.builds(
    ArbiterCall,
    attempt=st.integers(1, 2),
    arbiter=st.just(arbiter()),
    prompt=st.builds(PromptRef, name=texts, sha256=texts),
    result=st.just(Reply(text="what it said")),
)
arbitrations = st.builds(
    Arbitration,
    calls=st.lists(calls, max_size=2).map(tuple),
    seats=some_seats,
    analysis=st.one_of(st.none(), verifications, syntheses),
    problem=texts,
)


@given(arbitration=arbitrations)
def test_what_is_stored_is_read_back(arbitration: Arbitration) -> None:
    assert from_json(json.loads(json.dumps(to_json(arbitration)))) == stored(arbitration)


def test_a_retry_is_stored_with_the_text_of_the_last_call() -> None:
    first, last = (
        ArbiterCall(
            attempt=attempt, arbiter=arbiter(), prompt=PromptRef(name=name, sha256="0f"), result=Reply(text="no")
        )
        for attempt, name in ((1, "one"), (2, "two"))
    )
    arbitration = Arbitration(calls=(first, last), seats=(1, 0), problem="no object")
    assert from_json(to_json(arbitration)) == StoredArbitration(
        seats=(1, 0), prompt=PromptRef(name="two", sha256="0f"), analysis=None, problem="no object"
    )


def test_the_lists_have_the_names_of_the_fusion_result() -> None:
    row = to_json(Arbitration(calls=(), seats=(0,), analysis=Synthesis(answer="In 1932.")))
    assert row == {
        "seats": [0],
        "prompt": None,
        "problem": "",
        "synthesis": {
            "answer": "In 1932.",
            "consensus": [],
            "contradictions": [],
            "partial_coverage": [],
            "unique_insights": [],
            "blind_spots": [],
        },
    }


@pytest.mark.parametrize(
    "row", [{}, {"seats": [], "problem": ""}, {"seats": [], "prompt": None, "problem": "", "synthesis": {}}]
)
def test_what_was_never_stored_is_not_guessed_at(row: dict[str, object]) -> None:
    with pytest.raises(KeyError):
        from_json(row)


def test_an_unknown_word_is_refused() -> None:
    claim = Claim(text="c", finding=Finding.SUPPORTED, marks=())
    row = to_json(Arbitration(calls=(), seats=(), analysis=Verification(claims=(claim,), ranking=())))
    row["verification"]["claims"][0]["finding"] = "maybe"
    with pytest.raises(ValueError, match="maybe"):
        from_json(row)
