from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from evaluation.intake.files import SourceFile
from evaluation.intake.pairs import PairFiles
from evaluation.models import ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, ReviewVote, RubricVersion
from evaluation.selectors.review_export import export_rows
from evaluation.selectors.review_outcome import review_outcome
from evaluation.services.imports import ImportRejected
from evaluation.services.pair_imports import PairPlan, import_pairs
from evaluation.services.review_sessions import InvalidReviewSession, start_review_session
from evaluation.services.review_sheets import Sheet
from evaluation.services.review_slots import claim_slots
from evaluation.services.review_votes import submit_vote
from tests.factories import NOW, make_model
from tests.review_factories import make_person

pytestmark = pytest.mark.django_db
PAIR: dict[str, Any] = {"id": "a", "prompt": "Which one?", "first": "This.", "second": "That.", "context": "Page 3."}
VOTES = {"human_pairwise": {"raters": ["ann", "bob"], "overall": [-2, 1]}}


def files_of(folder: Path, *rows: dict[str, Any]) -> PairFiles:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PairFiles(pairs=SourceFile(path=path, name=path.name))


def made(folder: Path, *rows: dict[str, Any], **plan: Any) -> ReviewSession:
    return import_pairs(plan=PairPlan(title="Pairs", **plan), files=files_of(folder, *rows), by=None, now=NOW)


def test_votes_of_a_file_are_kept_as_given_and_the_session_is_closed(tmp_path):
    session = made(tmp_path, PAIR | VOTES)
    assert (session.state, session.method, session.population, session.overlap) == ("closed", "imported", 1, 1.0)
    assert session.rubric.name == "Preference"
    item = session.items.get()
    assert (item.name, item.question, item.evidence, item.wanted) == ("a", "Which one?", "Page 3.", 2)
    rows = list(export_rows(session, "votes"))
    assert [(row["reviewer"], row["preference"]) for row in rows] == [("ann", 1), ("bob", 4)]
    outcome = review_outcome(session)
    assert (outcome.judged, outcome.sides.decided, outcome.has_facts) == (1, 0, False)


def test_pairs_can_be_rated_here_beside_the_votes_they_bring(tmp_path):
    person = make_person("reviewer")
    session = made(tmp_path, PAIR | VOTES, votes=1, reviewers=(person,))
    assert (session.state, session.rubric.name) == ("draft", "Facts and preference")
    start_review_session(session=session, now=NOW)
    [slot] = claim_slots(session=session, person=person, now=NOW)
    submit_vote(token=slot.token, person=person, sheet=Sheet(facts_a=1, facts_b=1, preference=3), now=NOW)
    assert ReviewVote.objects.filter(slot__session=session).count() == 3
    assert review_outcome(session).sides.decided == 0


def test_an_empty_answer_and_a_name_in_a_text_are_noted(tmp_path):
    make_model(name="speaker-7b")
    rows = [
        PAIR | VOTES | {"first": " ", "second": "I am Speaker 7B."},
        PAIR | VOTES | {"id": "b", "second": "As hal-9"},
    ]
    rows[1]["meta"] = {"pair": ["hal-9", "eve"]}
    first, second = made(tmp_path, *rows).items.order_by("position")
    assert (first.first_state, first.second_state, first.names_found) == ("empty", "answered", ["speaker-7b"])
    assert second.names_found == ["hal-9"]


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({}, "votes"),
        ({"votes": 4, "open_queue": True}, "votes"),
        ({"votes": 1}, "reviewers"),
    ],
)
def test_a_session_that_could_not_be_held_is_refused(tmp_path, plan, field):
    with pytest.raises(InvalidReviewSession) as error:
        made(tmp_path, PAIR, **plan)
    assert [name for name, _ in error.value.problems] == [field]


def test_nobody_rates_and_settles(tmp_path):
    person = make_person("reviewer")
    with pytest.raises(InvalidReviewSession) as error:
        import_pairs(
            plan=PairPlan(title=" ", votes=1, reviewers=(person,), adjudicators=(person,)),
            files=files_of(tmp_path, PAIR), by=None, now=NOW,
        )  # fmt: skip
    assert [name for name, _ in error.value.problems] == ["title", "adjudicators"]
    assert not ReviewAssignment.objects.exists()


def test_of_a_file_with_a_fault_nothing_is_kept(tmp_path):
    with pytest.raises(ImportRejected) as error:
        made(tmp_path, PAIR | VOTES, {"id": "b"})
    assert "pairs.jsonl:2 prompt: the prompt is missing" in str(error.value)
    assert not ReviewSession.objects.exists()
    assert not RubricVersion.objects.exists()


# The recorded pairs, with agreement worked out here from the file as it stands and not by our own code.


def raw_votes(path: Path, scale: str) -> list[list[int]]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line)["human_pairwise"][scale] for line in lines]


def independent_alpha(units: Sequence[Sequence[int]], order: Sequence[int]) -> float:
    """Ordinal, by all ordered pairs of ratings; ``order`` lists the levels from low to high."""
    ratings = [rating for unit in units for rating in unit]
    counts = Counter(ratings)

    def apart(one: int, other: int) -> float:
        low, high = sorted((order.index(one), order.index(other)))
        return float(sum(counts[level] for level in order[low : high + 1]) - (counts[one] + counts[other]) / 2) ** 2

    observed = sum(sum(apart(*pair) for pair in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    by_chance = sum(counts[one] * counts[other] * apart(one, other) for one in counts for other in counts)
    return 1 - observed * (len(ratings) - 1) / by_chance


def independent_share(units: Sequence[Sequence[int]]) -> float:
    pairs = [[one == other for one, other in permutations(unit, 2)] for unit in units]
    return sum(sum(alike) / len(alike) for alike in pairs) / len(pairs)


def independent_ac1(units: Sequence[Sequence[int]], levels: int) -> float:
    used = {level for unit in units for level in unit}
    shares = [sum(unit.count(level) / len(unit) for unit in units) / len(units) for level in used]
    chance = sum(share * (1 - share) for share in shares) / (levels - 1)
    return (independent_share(units) - chance) / (1 - chance)


RECORDED = [
    ("pandalm_pairs", "labels", [1, 0, 2], 539, 3, 54),
    ("ragchecker_pairs", "overall", [-2, -1, 0, 1, 2], 165, 2, 6),
    ("ragchecker_pairs", "correctness", [-2, -1, 0, 1, 2], 165, 2, 6),
    ("ragchecker_pairs", "completeness", [-2, -1, 0, 1, 2], 165, 2, 6),
]


@pytest.mark.parametrize(("name", "scale", "order", "pairs", "raters", "most_empty"), RECORDED)
def test_agreement_on_recorded_pairs_is_that_of_all_their_raters(
    recorded_data, name, scale, order, pairs, raters, most_empty
):
    def source(file: str) -> SourceFile:
        return SourceFile(path=recorded_data / name / file, name=file)

    files = PairFiles(pairs=source("items.jsonl.gz"), outputs=source("outputs.jsonl.gz"))
    session = import_pairs(plan=PairPlan(title=name, scale=scale), files=files, by=None, now=NOW)
    units = raw_votes(recorded_data / name / "items.jsonl.gz", scale)

    assert ReviewItem.objects.filter(session=session).count() == len(units) == pairs
    assert ReviewSlot.objects.filter(session=session).values("rater").distinct().count() == raters
    assert ReviewVote.objects.filter(slot__session=session).count() == pairs * raters
    assert 0 < ReviewItem.objects.filter(session=session, first_state="empty").count() <= most_empty
    found = review_outcome(session).preference_agreement
    assert found is not None
    assert found.alpha is not None
    assert found.items == pairs
    assert found.alpha == pytest.approx(independent_alpha(units, order), abs=1e-12)
    assert found.share == pytest.approx(independent_share(units), abs=1e-12)
    assert found.ac1 == pytest.approx(independent_ac1(units, len(order)), abs=1e-12)
    assert found.interval is not None
    assert found.interval.low < found.alpha < found.interval.high
