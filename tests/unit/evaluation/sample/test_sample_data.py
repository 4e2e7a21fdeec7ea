from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from evaluation.scorers import ScoredExample
from evaluation.scorers.key_facts import score_key_facts
from panels.fusion.answers import normalise_short, token_f1
from panels.fusion.fuse import fused_by_vote
from panels.fusion.outcomes import Ballot, Tally, Vote
from panels.fusion.types import AnswerKind, Member, Question, StrategyName

FOLDER = Path(__file__).parents[4] / "evaluation" / "sample"
NAMES = ("sales_assistant", "customer_support", "content_summary")


def _examples(name: str) -> list[dict[str, Any]]:
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _asked(example: dict[str, Any]) -> str:
    return str(example["prompt"][-1]["content"])


@pytest.mark.parametrize("name", NAMES)
def test_at_least_two_hundred_examples_with_ids_of_their_own_and_a_reference(name: str) -> None:
    examples = _examples(name)
    assert len({example["id"] for example in examples}) == len(examples) >= 200
    assert all(example["reference"].strip() for example in examples)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_examples_are_alike_but_for_names_or_numbers(name: str) -> None:
    bags = [(example["id"], Counter(normalise_short(_asked(example)).split())) for example in _examples(name)]
    alike = [
        (left_id, right_id)
        for (left_id, left), (right_id, right) in combinations(bags, 2)
        if 2 * (left & right).total() >= 0.8 * (left.total() + right.total())
    ]
    assert alike == []


def test_labels_are_among_the_choices() -> None:
    for example in _examples("customer_support"):
        assert example["reference"] in example["choices"], example["id"]
        assert example["reference"] not in example["meta"]["distractors"], example["id"]


def test_distractors_of_the_short_answers_are_wrong() -> None:
    for example in _examples("sales_assistant"):
        closest = max(
            token_f1(distractor, reference)
            for distractor in example["meta"]["distractors"]
            for reference in example["references"]
        )
        assert closest < 0.6, example["id"]


def _share_stated(text: str, facts: list[str]) -> float:
    question = Question(item_id="q", messages=(), kind=AnswerKind.TEXT)
    ballot = Ballot(seat=0, stage=0, member=Member(model="m"), value=text)
    vote = Vote(calls=(), tally=Tally(groups=(), winner=ballot, consensus=1.0), stages_called=1)
    fused = fused_by_vote(vote, strategy=StrategyName.MAJORITY)
    score = score_key_facts(fused, ScoredExample(question=question, reference=None, references=tuple(facts)))
    assert score is not None
    assert score.share is not None
    return score.share


def test_every_reference_summary_states_its_key_facts_and_no_falsified_sentence_does() -> None:
    for example in _examples("content_summary"):
        facts = example["references"]
        assert len(facts) >= 3, example["id"]
        assert _share_stated(example["reference"], facts) == 1.0, example["id"]
        assert all(_share_stated(fact["wrong"], facts) == 0.0 for fact in example["meta"]["facts"]), example["id"]
