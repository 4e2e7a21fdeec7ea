from __future__ import annotations

from typing import Any

import pytest

from evaluation.models import Adjudication, ReviewItem
from evaluation.services.adjudications import InvalidAdjudication, NotDisputed, OwnVote, adjudicate_item
from evaluation.services.review_rounds import follow_up
from tests.factories import NOW
from tests.review_factories import make_person, make_review_item, make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> ReviewItem:
    """Two votes that stand one level apart, the one passing and the other not."""
    item = make_review_item(wanted=2)
    for level in (2, 3):
        make_vote(item, facts_a=level)
    follow_up(item)
    item.refresh_from_db()
    return item


def settle(item: ReviewItem, **fields: Any) -> Adjudication:
    defaults: dict[str, Any] = {"first_facts": 3, "second_facts": 1, "preference": None, "reason": "The page says 9."}
    by = fields.pop("by", None) or make_person("adjudicator")
    return adjudicate_item(item=item, by=by, now=NOW, **(defaults | fields))


def test_settling_ends_the_dispute_once(item):
    assert item.dispute == 1
    assert settle(item).first_facts == 3
    item.refresh_from_db()
    assert item.dispute is None
    with pytest.raises(NotDisputed):
        settle(item)


def test_a_later_vote_does_not_open_it_again(item):
    settle(item)
    vote = item.slots.first().votes.get()
    vote.slot.votes.create(revision=2, first_is_a=True, facts_a=4, facts_b=1, preference=3, created_at=NOW)
    follow_up(item)
    item.refresh_from_db()
    assert item.dispute is None


def test_whoever_voted_does_not_judge_between_the_votes(item):
    with pytest.raises(OwnVote):
        settle(item, by=item.slots.first().person)


def test_an_item_whose_votes_agree_is_left_alone():
    item = make_review_item(wanted=1)
    make_vote(item)
    with pytest.raises(NotDisputed):
        settle(item)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"first_facts": None}, "first_facts"),
        ({"second_facts": 6}, "second_facts"),
        ({"preference": 6}, "preference"),
        ({"reason": "  "}, "reason"),
    ],
)
def test_what_cannot_be_stored_is_named(item, fields, field):
    with pytest.raises(InvalidAdjudication) as error:
        settle(item, **fields)
    assert [name for name, _ in error.value.problems] == [field]
    assert not Adjudication.objects.exists()


def test_a_refusal_is_not_rated(item):
    ReviewItem.objects.update(second_state="refusal")
    with pytest.raises(InvalidAdjudication):
        settle(item)
    assert settle(item, second_facts=None).second_facts is None
