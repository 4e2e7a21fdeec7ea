from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation.intake.files import Intake
from evaluation.intake.limits import DEFAULT_LIMITS, Limits
from evaluation.intake.pairs import PairFiles, PairRow, read_pairs
from evaluation.intake.problems import ProblemList
from tests.unit.evaluation.intake.intake_files import lines_of, source

PAIR: dict[str, Any] = {"id": "a", "prompt": "Which one?", "first": "This.", "second": "That."}
BARE = {"id": "a", "prompt": "Which one?"}
OUTPUTS = ({"item_id": "a", "model": "m1", "text": "This."}, {"item_id": "a", "model": "m2", "text": ""})


def read(
    folder: Path, *pairs: Any, outputs: tuple[Any, ...] = (), limits: Limits = DEFAULT_LIMITS, scale: str = ""
) -> tuple[list[PairRow], list[str]]:
    intake = Intake(limits=limits, problems=ProblemList())
    files = PairFiles(
        pairs=source(folder, "pairs.jsonl", lines_of(*pairs)),
        outputs=source(folder, "outputs.jsonl", lines_of(*outputs)) if outputs else None,
    )
    return read_pairs(files, intake, scale=scale), [str(problem) for problem in intake.problems]


def votes(**given: Any) -> dict[str, Any]:
    return PAIR | {"human_pairwise": given}


def test_a_pair_brings_its_texts_and_what_reviewers_may_open(tmp_path):
    [row], problems = read(tmp_path, PAIR | {"reference": "That.", "context": ["One.", "Two."], "group": "g"})
    assert problems == []
    assert (row.item_id, row.first, row.second, row.group) == ("a", "This.", "That.", "g")
    assert (row.reference, row.context, row.votes, row.models) == ("That.", "One.\n\nTwo.", (), ())


def test_votes_without_strength_are_the_weaker_levels(tmp_path):
    [row], _ = read(tmp_path, votes(raters=["x", "y", "z", "w"], labels=[0, 1, 2, None]))
    assert row.votes == (("x", 3), ("y", 2), ("z", 4))
    assert not row.has_strength


def test_a_signed_scale_is_read_from_the_first_to_the_second(tmp_path):
    given = {"raters": ["x", "y"], "clarity": [-2, 0], "overall": [-1, 2], "critiques": [["…"], []], "coding": "…"}
    [row], _ = read(tmp_path, votes(**given))
    assert row.votes == (("x", 2), ("y", 5))
    assert row.has_strength
    [row], _ = read(tmp_path, votes(**given), scale="clarity")
    assert row.votes == (("x", 1), ("y", 3))
    [row], _ = read(tmp_path, votes(raters=["x"], clarity=[1]))
    assert row.votes == (("x", 4),)


def test_the_outputs_of_two_models_make_a_pair_in_the_order_it_names(tmp_path):
    [row], problems = read(tmp_path, BARE | {"meta": {"pair": ["m2", "m1"]}}, outputs=OUTPUTS)
    assert problems == []
    assert (row.first, row.second, row.models) == ("", "This.", ("m2", "m1"))
    [row], _ = read(tmp_path, BARE, outputs=OUTPUTS)
    assert (row.first, row.models) == ("This.", ("m1", "m2"))


def test_a_table_has_a_column_for_each(tmp_path):
    content = b'id,question,answer_a,answer_b,votes\na,Which?,This.,,"{""raters"": [""x""], ""labels"": [1]}"\n'
    intake = Intake(limits=DEFAULT_LIMITS, problems=ProblemList())
    [row] = read_pairs(PairFiles(pairs=source(tmp_path, "pairs.csv", content)), intake)
    assert (row.first, row.second, row.votes) == ("This.", "", (("x", 2),))


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (BARE, "pairs.jsonl:1 first: the answer is missing"),
        (PAIR | {"id": ""}, "pairs.jsonl:1 id: the id is missing"),
        (PAIR | {"prompt": ""}, "pairs.jsonl:1 prompt: the prompt is empty"),
        (PAIR | {"meta": {"pair": ["m1", "m1"]}}, "pairs.jsonl:1 meta: pair is not two different models"),
        (votes(raters=["x"], labels=[3]), "the vote 3 of x in “labels” is none of 0 tie, 1 first, 2 second"),
        (votes(raters=["x"], labels=[True]), "the vote True of x"),
        (votes(raters=["x"], overall=[3]), "none of -2 first much better to 2 second much better"),
        (votes(raters=["x", "y"], labels=[1]), "raters does not name one different person for each vote"),
        (votes(raters=["x", "x"], labels=[1, 1]), "raters does not name one different person for each vote"),
        (votes(labels=[1]), "raters does not name one different person for each vote"),
        (votes(raters=["x"]), "there are no votes called “labels” (there are: none)"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_field(tmp_path, pair, problem):
    rows, problems = read(tmp_path, pair)
    assert any(problem in found for found in problems), problems
    assert len(rows) <= 1


def test_a_scale_that_is_not_there_is_named_with_those_that_are(tmp_path):
    _, [problem] = read(tmp_path, votes(raters=["x"], overall=[1]), scale="tone")
    assert "there are no votes called “tone” (there are: overall)" in problem


def test_an_id_stands_once_and_a_file_has_rows(tmp_path):
    _, [problem] = read(tmp_path, PAIR, PAIR)
    assert "“a” is already the id of line 1" in problem
    _, [empty] = read(tmp_path)
    assert "empty" in empty
    intake = Intake(limits=DEFAULT_LIMITS, problems=ProblemList())
    read_pairs(PairFiles(pairs=source(tmp_path, "head.csv", b"id,prompt,first,second\n")), intake)
    assert "the file has no rows" in str(next(iter(intake.problems)))


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (OUTPUTS[:1], "“a” needs an output of two models, found: m1"),
        ((*OUTPUTS, {"item_id": "a", "model": "m3", "text": "x"}), "found: m1, m2, m3"),
        (({"item_id": "b", "model": "m1", "text": "x"},), "no item has the id “b”"),
    ],
)
def test_outputs_that_make_no_pair_are_named(tmp_path, outputs, words):
    _, problems = read(tmp_path, BARE, outputs=outputs)
    assert words in problems[0]


def test_too_many_pairs_are_refused(tmp_path):
    _, [problem] = read(tmp_path, PAIR, PAIR | {"id": "b"}, limits=Limits(items=1))
    assert "there are more than 1 pairs" in problem
