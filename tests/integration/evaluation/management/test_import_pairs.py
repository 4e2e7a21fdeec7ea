from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from evaluation.models import ReviewSession
from tests.review_factories import make_person

pytestmark = pytest.mark.django_db
PAIR = {"id": "a", "prompt": "Which one?", "first": "This.", "second": "That."}


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    votes = [[1, 1], [2, 2], [0, 1]]
    rows = [PAIR | {"id": str(n), "human_pairwise": {"raters": ["x", "y"], "labels": v}} for n, v in enumerate(votes)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_it_says_what_came_in_and_how_far_raters_agree(pairs, capsys):
    call_command("import_pairs", "Pairs", pairs=pairs)
    session = ReviewSession.objects.get()
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"session {session.pk}, closed: 3 pairs, 6 votes of 2 raters"
    assert second.startswith("preference: ordinal alpha 0.")
    assert second.endswith("66.7 % of pairs of votes alike, 3 pairs")


def test_raters_who_say_one_thing_have_no_alpha(tmp_path, capsys):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(PAIR | {"human_pairwise": {"raters": ["x", "y"], "labels": [1, 1]}}))
    call_command("import_pairs", "Pairs", pairs=path)
    assert capsys.readouterr().out.splitlines()[1] == "preference: all alike on 1 pairs"


def test_outputs_may_stand_in_a_file_of_their_own(tmp_path, capsys):
    items, outputs = tmp_path / "items.jsonl", tmp_path / "outputs.jsonl"
    items.write_text(json.dumps({"id": "a", "prompt": "Which one?"}))
    outputs.write_text("".join(json.dumps({"item_id": "a", "model": m, "text": m}) + "\n" for m in ("m1", "m2")))
    call_command("import_pairs", "Pairs", pairs=items, outputs=outputs, votes=1)
    session = ReviewSession.objects.get()
    assert (session.state, session.open_queue) == ("draft", True)
    assert capsys.readouterr().out.splitlines() == [f"session {session.pk}, draft: 1 pairs, 0 votes of 0 raters"]


def test_reviewers_are_named_and_have_to_exist(pairs):
    person = make_person("reviewer", username="ann")
    call_command("import_pairs", "Pairs", "--pairs", str(pairs), "--votes", "1", "--reviewer", "ann")
    session = ReviewSession.objects.get()
    assert session.assignments.get().person == person
    assert not session.open_queue
    with pytest.raises(CommandError, match="nobody is called “bob”"):
        call_command("import_pairs", "Pairs", "--pairs", str(pairs), "--reviewer", "bob")


def test_what_is_wrong_is_listed(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"id": "a"}\n')
    with pytest.raises(CommandError, match=r"pairs\.jsonl:1 prompt: the prompt is missing"):
        call_command("import_pairs", "Pairs", pairs=path)
    path.write_text(json.dumps(PAIR))
    with pytest.raises(CommandError, match="ask for at least one vote"):
        call_command("import_pairs", "Pairs", pairs=path)
