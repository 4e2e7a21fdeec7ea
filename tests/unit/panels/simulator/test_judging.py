from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest

from panels.simulator.answer_key import KeyItem
from panels.simulator.judging import Judge, Statement, Truth, gather_statements
from panels.simulator.model import SimulatedModel
from tests.unit.panels.simulator.briefs import CITY, MILL, brief, model

N = 1500
LONG = "The red fox eats a hen at noon in the yard by the barn."


def judge(*candidates: str, item: KeyItem | None = CITY, of: SimulatedModel | None = None, **shown) -> Judge:
    return Judge(model=of or model(), brief=brief(*candidates, **shown), item=item, seed=0)


def statement(text: str, item: KeyItem) -> Statement:
    (found,) = gather_statements(brief(text), item)
    return found


def test_a_statement_counts_once_with_everybody_who_makes_it():
    first, second = gather_statements(brief("It is Paris.", "Lyon", "Paris. Paris!"), CITY)
    assert (first.spans, first.text) == ({"A": "It is Paris.", "C": "Paris."}, "It is Paris.")
    assert (second.spans, second.alone) == ({"B": "Lyon"}, True)


@pytest.mark.parametrize(
    ("text", "item", "truth"),
    [
        ("It is Paris, surely.", CITY, Truth(subject=0, right=True)),
        ("lyon", CITY, Truth(subject=0, right=False)),
        ("Paris or Lyon", CITY, None),
        ("Rome", CITY, None),
        ("Paris", replace(CITY, wrong=("Paris Texas",)), Truth(subject=0, right=True)),
        ("Paris, Texas", replace(CITY, wrong=("Paris Texas",)), Truth(subject=0, right=False)),
        ("It employs 186 people.", MILL, Truth(subject=1, right=False)),
        ("The mill closes at the end of October.", MILL, Truth(subject=0, right=True)),
        ("Anything", replace(CITY, reference="…"), None),
    ],
)
def test_the_key_tells_what_is_said_if_that_is_clear(text, item, truth):
    assert statement(text, item).truth == truth


@pytest.mark.parametrize(
    ("left", "right", "item", "are_rivals"),
    [
        ("Paris", "Lyon", CITY, True),
        ("Lyon", "Nice", CITY, True),
        ("Paris", "It is Paris.", CITY, False),
        ("Paris", "Paris, of course", CITY, False),
        ("It employs 86 people.", "It employs 186 people.", MILL, True),
        ("It employs 86 people.", "The mill closes at the start of October.", MILL, False),
        ("Rome", "Oslo", CITY, True),
        (LONG, LONG.replace("hen", "duck"), CITY, True),
        (LONG, "Oslo", CITY, False),
    ],
)
def test_rivals_cannot_both_be_true(left, right, item, are_rivals):
    one, other = statement(left, item), statement(right, item)
    assert (one.rivals(other), other.rivals(one)) == (are_rivals, are_rivals)


def test_disputes_group_what_cannot_all_be_true():
    found = judge(
        "It employs 86 people. The mill closes at the end of October.", "It employs 186 people.", item=MILL
    ).disputes
    assert [[said.text for said in group] for group in found] == [["It employs 86 people.", "It employs 186 people."]]


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("judging", [0.2, 0.94])
def test_planted_judgement_is_recovered_whatever_errors_are_shared(judging, share):
    of = model(judging=judging, shared_error_share=share)
    items = [replace(CITY, id=str(number)) for number in range(N)]
    rate = sum(judge("Paris", item=item, of=of).sees(0, item) for item in items) / N
    assert rate == pytest.approx(judging, abs=5 * sqrt(judging * (1 - judging) / N))


def test_an_arbiter_that_does_not_see_takes_wrong_for_right_or_cannot_tell():
    beliefs = set()
    for number in range(60):
        blind = judge("Paris", "Lyon", item=replace(CITY, id=str(number)), of=model(judging=0.0))
        beliefs.add(tuple(blind.believes(said) for said in blind.statements))
    assert beliefs == {(False, True), (None, None)}


def test_an_arbiter_that_sees_believes_what_is_right():
    seeing = judge("Paris", "Lyon")
    assert [seeing.believes(said) for said in seeing.statements] == [True, False]


def test_without_judgement_of_its_own_it_judges_as_it_answers():
    of = model(judging=None, skill=0.6)
    items = [replace(CITY, id=str(number)) for number in range(200)]
    judges = [(judge("Paris", item=item, of=of), item) for item in items]
    assert all(one.sees(0, item) is one.knows(item) for one, item in judges)


def test_judgement_does_not_hang_on_order_letters_or_seats():
    for number in range(50):
        item = replace(CITY, id=str(number))
        one, other = (
            judge(*texts, item=item, of=model(judging=0.5)) for texts in (("Paris", "Lyon"), ("Lyon", "Paris"))
        )
        assert {said.gist: one.believes(said) for said in one.statements} == {
            said.gist: other.believes(said) for said in other.statements
        }


def test_what_the_key_does_not_know_is_believed_if_the_evidence_says_so():
    for item in (CITY, None):
        found = judge("The lido stays open.", "Dogs bark.", item=item, evidence="It was said: the lido stays open!")
        assert [found.believes(said) for said in found.statements] == [True, None]


def test_beside_a_known_answer_what_the_key_does_not_know_stays_open():
    found = judge("Rome")
    assert [found.believes(said) for said in found.statements] == [None]


def test_where_nothing_is_known_the_statement_of_most_is_believed():
    crowd = judge("red", "green", "red. Dogs bark at strangers who come by night.", item=None)
    assert [crowd.believes(said) for said in crowd.statements] == [True, False, None]


def test_where_nothing_is_known_chance_decides_between_equals_and_nothing_said_is_no_favourite():
    favourites = {
        favourite.text
        for number in range(30)
        if (favourite := judge("red", "green", item=None, question=f"Q{number}").favourite)
    }
    assert favourites == {"red", "green"}
    assert judge("", item=None).favourite is None
