from __future__ import annotations

import json
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from panels.fusion.answers import dice, read_ballot
from panels.fusion.json_text import JsonObject, canonical_json
from panels.fusion.outcomes import Ballot, Tally
from panels.fusion.schemas import violation
from panels.fusion.strategies import count_ballots
from panels.fusion.types import Question, StrategyName
from tests.unit.panels.fusion.fused import ballot, ballots, json_question

LONG = "the ferry did not leave because a storm had closed the harbour"


def _vote(
    *answers: JsonObject | None,
    schema: object = None,
    strategy: StrategyName = StrategyName.MAJORITY,
    weights: tuple[float, ...] | None = None,
) -> Tally:
    values = [None if answer is None else canonical_json(answer) for answer in answers]
    return _count(ballots(*values, weights=weights), json_question(schema), strategy)


def _count(cast: list[Ballot], question: Question, strategy: StrategyName = StrategyName.MAJORITY) -> Tally:
    return count_ballots(cast, strategy=strategy, question=question, similarity=dice)


def _answer(tally: Tally) -> JsonObject | None:
    text = tally.merged if tally.merged is not None else tally.winner and tally.winner.value
    return None if text is None else json.loads(str(text))


def _shares(tally: Tally) -> dict[str, tuple[object, float]]:
    return {
        field.name: ("left out" if field.value is None else json.loads(field.value), round(field.consensus, 4))
        for field in tally.fields
    }


def test_each_field_votes_by_itself() -> None:
    tally = _vote(
        {"city": "Paris", "year": 1999, "paid": True},
        {"city": "Rome", "year": 2001, "paid": True},
        {"city": "Paris", "year": 2001, "paid": True},
    )

    assert _answer(tally) == {"city": "Paris", "year": 2001, "paid": True}
    assert tally.merged is None
    assert tally.winner is not None
    assert tally.winner.seat == 2
    assert _shares(tally) == {"city": ("Paris", 0.6667), "paid": (True, 1.0), "year": (2001, 0.6667)}
    assert tally.consensus == pytest.approx(2 / 3)


def test_a_merge_that_nobody_said_is_nobodys() -> None:
    tally = _vote({"a": "x", "b": "x", "c": 1}, {"a": "x", "b": "y", "c": 2}, {"a": "z", "b": "y", "c": 1})

    assert tally.merged == '{"a":"x","b":"y","c":1}'
    # All three are on the winning side in two fields.
    assert tally.winner is not None
    assert tally.winner.seat == 0
    assert [group.support for group in tally.groups] == [1.0, 1.0, 1.0]


def test_the_winner_is_the_ballot_that_is_on_the_winning_side_most_often() -> None:
    tally = _vote(
        {"a": "p", "b": 1, "c": 9}, {"a": "q", "b": 2, "c": 3}, {"a": "q", "b": 1, "c": 4}, {"a": "r", "c": 3}
    )

    assert tally.merged == '{"a":"q","b":1,"c":3}'
    assert tally.winner is not None
    assert tally.winner.seat == 1


def test_fields_go_by_their_kind() -> None:
    schema = {"properties": {"total": {"type": "number"}, "name": {"type": "string"}, "code": {"enum": ["A-1", "A1"]}}}
    tally = _vote(
        {"total": 7, "name": "Baird Television", "code": "A-1", "why": "cats purr"},
        {"total": 10.0000001, "name": "Zenith", "code": "A1", "why": LONG},
        {"total": 10, "name": "the Baird Television company", "code": "A1", "why": f"{LONG} today"},
        schema=schema,
    )

    assert _answer(tally) == {"total": 10.0000001, "name": "Baird Television", "code": "A1", "why": LONG}


def test_a_free_text_speaks_through_its_groups_medoid() -> None:
    texts = ("storm closes harbour ferry", "storm closes harbour", "storm harbour closes today", "cats purr")
    schema = {"properties": {"why": {"type": "string", "maxLength": 1000}}}
    answers: list[JsonObject] = [{"why": text} for text in texts]
    tally = _vote(*answers, schema=schema)

    assert _shares(tally) == {"why": ("storm closes harbour", 0.75)}


def test_a_field_left_out_is_a_vote_of_its_own() -> None:
    tally = _vote({"a": 1}, {"a": 1, "note": "x"}, {"a": 1})
    assert (_answer(tally), tally.consensus) == ({"a": 1}, pytest.approx(2 / 3))
    assert _shares(tally)["note"] == ("left out", 0.6667)

    tally = _vote({"a": 1, "note": None}, {"a": 1, "note": LONG}, {"a": 1, "note": None})
    assert _shares(tally)["note"] == (None, 0.6667)


def test_null_may_win_over_texts() -> None:
    schema = {"properties": {"why": {"type": ["string", "null"], "maxLength": 1000}}}
    assert _answer(_vote({"why": None}, {"why": LONG}, {"why": None}, schema=schema)) == {"why": None}


def test_groups_are_of_members_that_agree_in_every_field() -> None:
    cast = ballots('{"name":"Baird Television","total":10.0000001}', '{"name":"Zenith","total":10}', None,
                   '{"name":"the Baird Television company","total":10}')  # fmt: skip
    tally = _count(cast, json_question())

    assert [group.ballots for group in tally.groups] == [(cast[0], cast[3]), (cast[1],)]
    assert [group.support for group in tally.groups] == [2.0, 1.0]
    assert tally.winner == cast[0]


def test_an_abstention_stays_in_the_denominator_of_every_field() -> None:
    tally = _vote({"a": 1, "b": 2}, None, {"a": 1, "b": 3})

    assert _shares(tally) == {"a": (1, 0.6667), "b": (2, 0.3333)}
    assert tally.consensus == pytest.approx(1 / 3)


def test_empty_objects_agree() -> None:
    tally = _vote({}, {}, None)
    assert (_answer(tally), tally.consensus, tally.fields) == ({}, pytest.approx(2 / 3), ())


def test_all_abstaining_is_no_answer() -> None:
    tally = _vote(None, None)
    assert (tally.winner, tally.merged, tally.consensus, tally.fields) == (None, None, 0.0, ())


def test_a_tie_in_a_field_goes_as_the_strategy_has_it() -> None:
    answers: tuple[JsonObject, ...] = ({"a": "x"}, {"a": "y"})
    assert _answer(_vote(*answers)) == {"a": "x"}
    assert _answer(_vote(*answers, strategy=StrategyName.VERIFICATION, weights=(1.0, 2.0))) == {"a": "x"}
    assert _answer(_vote(*answers, strategy=StrategyName.WEIGHTED, weights=(1.0, 2.0))) == {"a": "y"}

    late = [ballot('{"a":"x"}'), ballot('{"a":"y"}', seat=1, stage=1)]
    assert _answer(_count(late, json_question())) == {"a": "y"}


def test_a_heavy_member_outweighs_two_light_ones_field_by_field() -> None:
    tally = _vote(
        {"a": "x", "b": 1}, {"a": "y", "b": 1}, {"a": "y"}, strategy=StrategyName.WEIGHTED, weights=(3.0, 1.0, 1.0)
    )
    assert _shares(tally) == {"a": ("x", 0.6), "b": (1, 0.8)}


def test_a_merge_that_breaks_the_schema_gives_way_to_the_vote_on_whole_objects() -> None:
    schema = {"dependentRequired": {"date": ["paid"]}}
    dated: list[JsonObject] = [{"date": "1 May", "paid": paid} for paid in (True, False, None)]
    tally = _vote(*dated, {}, {}, schema=schema)

    assert tally.problem == "$: 'paid' is a dependency of 'date'"
    assert _shares(tally) == {"date": ("1 May", 0.6), "paid": ("left out", 0.4)}
    assert (_answer(tally), tally.merged, tally.consensus) == ({}, None, pytest.approx(0.4))


# Laws

FIELDS: dict[str, st.SearchStrategy[object]] = {
    "label": st.sampled_from(["red", "green"]),
    "number": st.sampled_from([1, 2, 2.5, 2.5000001, None]),
    "short": st.sampled_from(["Baird Television", "the Baird Television company", "Zenith", "12.5", "125"]),
    "text": st.sampled_from([LONG, f"{LONG} today", "cats purr"]),
    "list": st.sampled_from([[1], [1, 2], {"a": 1}]),
}
SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["red", "green"]},
        "number": {"type": ["number", "null"]},
        "short": {"type": "string"},
        "text": {"type": "string", "maxLength": 500},
        "list": {},
    },
    "required": ["label"],
    # Together these make merges that are not valid.
    "dependentRequired": {"text": ["short"]},
    "maxProperties": 4,
}
ANSWERS = st.fixed_dictionaries(
    {"label": FIELDS["label"]}, optional={name: FIELDS[name] for name in ("number", "short", "text", "list")}
).filter(lambda answer: not violation(answer, schema=json.dumps(SCHEMA)))
PANELS = st.lists(st.none() | ANSWERS, min_size=1, max_size=6)
STRATEGIES = st.sampled_from([StrategyName.MAJORITY, StrategyName.WEIGHTED, StrategyName.SYNTHESIS])


@given(PANELS, STRATEGIES, st.data())
def test_what_wins_is_valid(answers: list[JsonObject | None], strategy: StrategyName, data: st.DataObject) -> None:
    weights = data.draw(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 3.0])] * len(answers)))
    tally = _vote(*answers, schema=SCHEMA, strategy=strategy, weights=weights)
    answer = _answer(tally)

    assert 0.0 <= tally.consensus <= 1.0
    assert (answer is None) == (answers.count(None) == len(answers))
    if answer is not None:
        assert violation(answer, schema=json.dumps(SCHEMA)) == ""
        assert tally.merged is not None or answer in answers
        assert bool(tally.problem) <= (answer in answers)
        assert not (tally.merged is not None and tally.problem)


@given(PANELS, STRATEGIES, st.booleans())
def test_a_twin_for_every_member_changes_nothing(
    answers: list[JsonObject | None], strategy: StrategyName, beside: bool
) -> None:
    tally = _vote(*answers, schema=SCHEMA, strategy=strategy)
    twins = [answer for answer in answers for _ in range(2)] if beside else [*answers, *answers]
    doubled = _vote(*twins, schema=SCHEMA, strategy=strategy)

    assert _answer(doubled) == _answer(tally)
    assert _shares(doubled) == _shares(tally)
    assert doubled.consensus == pytest.approx(tally.consensus)
    assert (doubled.merged, doubled.problem) == (tally.merged, tally.problem)


@given(PANELS, st.permutations([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
def test_who_casts_a_ballot_is_nothing_to_the_majority(answers: list[JsonObject | None], weights: list[float]) -> None:
    given = tuple(weights[: len(answers)])
    tally, other = _vote(*answers, schema=SCHEMA), _vote(*answers, schema=SCHEMA, weights=given)

    assert (_answer(other), other.fields, other.consensus) == (_answer(tally), tally.fields, tally.consensus)


@given(PANELS, STRATEGIES)
def test_a_field_on_which_all_agree_is_kept(answers: list[JsonObject | None], strategy: StrategyName) -> None:
    said = [answer for answer in answers if answer is not None]
    assume(said)
    fused = _answer(_vote(*answers, schema=SCHEMA, strategy=strategy))

    assert fused is not None
    for name in said[0]:
        if all(name in answer and answer[name] == said[0][name] for answer in said):
            assert fused[name] == said[0][name]
    for name in fused:
        assert any(name in answer and answer[name] == fused[name] for answer in said)


@given(PANELS, STRATEGIES)
def test_consensus_is_whole_only_if_all_agree(answers: list[JsonObject | None], strategy: StrategyName) -> None:
    tally = _vote(*answers, schema=SCHEMA, strategy=strategy)
    unanimous = all(field.consensus == 1.0 for field in tally.fields)

    assert (tally.consensus == 1.0) == (None not in answers and unanimous)
    assert (tally.consensus == 1.0) == (None not in answers and len(tally.groups) == 1)
    if len({canonical_json(answer) for answer in answers}) == 1 and None not in answers:
        assert tally.consensus == 1.0
        assert _answer(tally) == answers[0]


@given(st.lists(ANSWERS, min_size=2, max_size=4))
def test_what_is_read_from_texts_is_what_votes(answers: list[JsonObject]) -> None:
    question = json_question(SCHEMA)
    read = [read_ballot(f"Well:\n```json\n{json.dumps(answer)}\n```", question=question) for answer in answers]

    assert _count(ballots(*read), question) == _vote(*answers, schema=SCHEMA)


def test_the_order_in_which_ballots_are_handed_over_does_not_matter() -> None:
    cast = ballots(*(canonical_json({"a": value, "b": 1}) for value in ("x", "y", "z")))
    first = _count(cast, json_question())

    assert all(_count(list(order), json_question()) == first for order in permutations(cast))
