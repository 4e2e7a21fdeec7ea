from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.http import QueryDict

from evaluation.models import Answer
from evaluation.selectors.item_export import EXPORT_COLUMNS, export_items
from evaluation.selectors.items import ItemFilter, filtered_answers, items_page
from evaluation.selectors.runs import arms_of
from tests.integration.evaluation.finished_runs import FinishedRun, make_finished_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def made() -> FinishedRun:
    return make_finished_run("RRWWRUAF", "RWRWRUFW")


def positions(made: FinishedRun, query: str) -> list[int]:
    page = items_page(made.run, arms=arms_of(made.run), wanted=ItemFilter.from_query(QueryDict(query)))
    return [row.position for row in page.page.rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("outcome=right", [0, 2, 4]),
        ("outcome=wrong", [1, 3, 6, 7]),
        ("outcome=unscored", [5]),
        ("outcome=abstained", [6]),
        ("outcome=failed", [6]),
        ("versus=won", [2]),
        ("versus=lost", [1]),
        ("versus=both", [0, 4]),
        ("versus=neither", [3, 6, 7]),
        ("from=0.5&to=0.7", [1, 3, 5, 7]),
        ("from=0.7&to=1", [0, 2, 4]),
        ("to=0.5", [6]),
        ("escalated=1", []),
        ("q=item-3", [3]),
        ("q=QUESTION 4", [4]),
        ("outcome=wrong&versus=lost", [1]),
        ("outcome=nonsense&from=x&sort=title&arm=0x7", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("sort=-cost", [7, 6, 5, 4, 3, 2, 1, 0]),
        ("sort=latency", [7, 5, 4, 3, 2, 1, 0, 6]),
        ("sort=-latency", [0, 1, 2, 3, 4, 5, 7, 6]),
        ("sort=consensus", [6, 1, 3, 5, 7, 0, 2, 4]),
    ],
)
def test_filters_and_sorts(made, query, found):
    assert positions(made, query) == found


def test_the_baseline_can_be_looked_at_by_itself(made):
    assert positions(made, f"arm={made.baseline.pk}&outcome=abstained") == [6, 7]


def test_a_filter_says_the_same_after_a_round_trip_through_its_query():
    wanted = ItemFilter(
        arm=3, outcome="wrong", versus="lost", consensus_from=0.0, consensus_to=0.5, escalated=True, text="a&b=é ",
        sort="-cost",
    )  # fmt: skip
    again = ItemFilter.from_query(QueryDict(wanted.query().removeprefix("?")))
    assert again == replace(wanted, text="a&b=é")


def test_counts_of_the_facets_are_what_choosing_them_shows(made):
    page = items_page(made.run, arms=arms_of(made.run), wanted=ItemFilter())
    facets = {facet.value: facet.count for facet in (*page.outcomes, *page.versus)}
    assert facets == {
        "right": 3, "wrong": 4, "unscored": 1, "abstained": 1, "failed": 1,
        "won": 1, "lost": 1, "both": 2, "neither": 3,
    }  # fmt: skip
    for name, count in facets.items():
        kind = "versus" if name in {"won", "lost", "both", "neither"} else "outcome"
        asked: dict[str, Any] = {kind: name}
        chosen = items_page(made.run, arms=arms_of(made.run), wanted=ItemFilter(**asked))
        assert chosen.matching == len(chosen.page.rows) == count


def test_matching_is_counted_where_the_facets_cannot_tell(made):
    page = items_page(made.run, arms=arms_of(made.run), wanted=ItemFilter(consensus_from=0.5, consensus_to=0.7))
    assert (page.matching, page.answered) == (4, 8)


def test_votes_stand_in_groups_with_the_silent_last(made):
    page = items_page(made.run, arms=arms_of(made.run), wanted=ItemFilter())
    votes = [row.votes for row in page.page.rows]
    assert votes[0] == ((1.0, 1.0, 1.0),)
    assert votes[1] == ((1.0, 1.0), (1.0,))
    assert votes[6] == ((1.0, 1.0, 1.0),)
    assert [row.baseline and row.baseline.correct for row in page.page.rows[:3]] == [True, True, False]


def test_pages_neither_repeat_nor_lose_rows_while_others_change(made, monkeypatch):
    monkeypatch.setattr("evaluation.selectors.items.page_of.__kwdefaults__", {"after": None, "before": None, "size": 3})
    for sort in ("position", "-position", "cost", "-latency", "latency", "consensus", "-consensus"):
        seen, key = [], None
        while True:
            wanted = ItemFilter(sort=sort)
            page = items_page(made.run, arms=arms_of(made.run), wanted=wanted, after=key).page
            seen += [row.position for row in page.rows]
            if page.next_key is None:
                break
            back = items_page(made.run, arms=arms_of(made.run), wanted=wanted, before=page.next_key).page
            assert [row.position for row in back.rows] == seen[-4:-1]
            key = page.next_key
        assert seen == positions_in_one(made, sort)


def positions_in_one(made: FinishedRun, sort: str) -> list[int]:
    order = ItemFilter(sort=sort).order
    answers = filtered_answers(made.run, arm=made.panel, wanted=ItemFilter())
    return [answer.position for answer in order.sorted(answers)]


def test_a_page_costs_as_many_queries_for_fifty_rows_as_for_one(made, django_assert_max_num_queries):
    arms = arms_of(made.run)
    with django_assert_max_num_queries(5):
        items_page(made.run, arms=arms, wanted=ItemFilter(text="question"))


def test_the_export_holds_what_the_filter_shows(made):
    rows = list(export_items(made.run, arms=arms_of(made.run), wanted=ItemFilter(outcome="wrong", sort="-cost")))
    assert [row["position"] for row in rows] == [7, 6, 3, 1]
    assert set(rows[0]) == set(EXPORT_COLUMNS)
    assert rows[3]["versus_baseline"] == "lost"
    assert rows[3]["cost_usd"] == pytest.approx(6e-6)
    assert rows[1]["answer"] is None


def test_the_export_leaves_confidence_blank_where_there_is_none(made):
    told = made.answers(made.panel)[0]
    Answer.objects.filter(pk=told.pk).update(confidence=0.75)
    rows = list(export_items(made.run, arms=arms_of(made.run), wanted=ItemFilter()))
    assert [row["confidence"] for row in rows[:2]] == [0.75, None]


def test_the_export_reads_on_beyond_one_page(made, monkeypatch):
    monkeypatch.setattr("evaluation.selectors.item_export._EXPORT_PAGE", 3)
    rows = list(export_items(made.run, arms=arms_of(made.run), wanted=ItemFilter()))
    assert [row["position"] for row in rows] == list(range(8))


def test_a_search_finds_what_json_writes_otherwise(made):
    example = made.run.experiment.dataset_version.examples.get(position=2)
    example.prompt = '[{"role":"user","content":"He said \\"no\\"\\nüber"}]'
    example.save()
    assert positions(made, 'q="no"') == [2]
    assert positions(made, "q=über") == [2]


def test_another_runs_answers_do_not_show(made):
    other = make_finished_run("RR", "RW")
    assert Answer.objects.count() == 16 + 4
    assert positions(other, "") == [0, 1]
