from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.intake.benchmark_spec import BadSpec, read_spec
from panels.fusion.types import AnswerKind, StrategyName

SPEC = """
title = "Cheap against strong"
[dataset]
items = "items.jsonl"
recorded = "outputs.jsonl"
answer = "choice"
[[arm]]
name = "strong"
baseline = true
members = ["s"]
[[arm]]
name = "staged"
stop_at = 1
stages = [ { members = ["a", "b"] }, { members = ["s"], settles = true } ]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.jsonl").touch()
    (tmp_path / "outputs.jsonl").touch()
    return tmp_path


def _write(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_a_spec_with_paths_from_its_own_folder(folder: Path) -> None:
    spec = read_spec(_write(folder, SPEC))
    assert spec.title == "Cheap against strong"
    assert spec.dataset.items == folder / "items.jsonl"
    assert (spec.dataset.answer, spec.dataset.scorer) == (AnswerKind.CHOICE, "exact")
    strong, staged = spec.arm
    assert (strong.baseline, strong.member_names, strong.strategy) == (True, ("s",), StrategyName.MAJORITY)
    assert (staged.stop_at, staged.member_names) == (1.0, ("a", "b", "s"))
    assert [stage.settles for stage in staged.schedule] == [False, True]


def test_absolute_paths_are_taken_as_they_are(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    moved = SPEC.replace('"items.jsonl"', f'"{folder}/items.jsonl"').replace(
        '"outputs.jsonl"', f'"{folder}/outputs.jsonl"'
    )
    assert read_spec(_write(elsewhere, moved)).dataset.items == folder / "items.jsonl"


def test_weights_come_from_labelled_files_or_by_hand(folder: Path) -> None:
    fitted = 'strategy = "weighted"\nweights_from = { items = "items.jsonl", recorded = "outputs.jsonl" }'
    spec = read_spec(_write(folder, SPEC.replace("stop_at = 1", fitted)))
    assert spec.arm[1].weights_from is not None
    assert spec.arm[1].weights_from.recorded == folder / "outputs.jsonl"
    by_hand = read_spec(_write(folder, SPEC.replace("stop_at = 1", 'strategy = "weighted"\nweights = [1, 2, 0.5]')))
    assert by_hand.arm[1].weights == (1.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("stop_at = 1", "stop = 1", r'arm 2 "staged", stop: unknown key'),
        ("title =", "titel =", r"titel: unknown key"),
        ("stop_at = 1", "stop_at = 1.5", r'arm 2 "staged", stop_at: .*less than or equal to 1'),
        ("stop_at = 1", "stop_at = 0", r"stop_at: .*greater than 0"),
        ('"choice"', '"choise"', r"dataset, answer: .*'choice'"),
        ("answer =", 'scorer = "fuzzy"\nanswer =', r"dataset, scorer: must be one of exact, number"),
        ('{ members = ["s"], settles = true }', "{ members = [] }", r'arm 2 "staged", stages 2, members: is empty;'),
        ("stages = [ { members", "stages = []\nold = [ { members", r"stages: is empty; give it"),
        ('{ members = ["a", "b"] }', '{ members = ["a"], settles = true }', r"settles may stand on the last"),
        ('name = "staged"', 'name = "strong"', r'2 arms are named "strong"'),
        ("baseline = true\n", "", r"0 arms say baseline = true; exactly one"),
        ("stop_at = 1", "baseline = true", r"2 arms say baseline = true; exactly one"),
        ("stop_at = 1", 'members = ["a"]', r"give either members or stages"),
        ('"items.jsonl"', '"other.jsonl"', r"dataset, items: there is no file .*other\.jsonl"),
        ('"items.jsonl"', "7", r"dataset, items: must be a file's path"),
        ("stop_at = 1", 'strategy = "weighted"', r'strategy "weighted", and it alone, takes weights_from or weights'),
        ("stop_at = 1", "weights = [1, 1, 1]", r'strategy "weighted", and it alone'),
        ("stop_at = 1", 'strategy = "weighted"\nweights = [1]', r"1 weights for 3 members"),
        ("stop_at = 1", 'strategy = "weighted"\nweights = [1, -1, 1]', r"weights 2: .*greater than or equal to 0"),
        ('members = ["s"]', 'members = "s"', r'arm 1 "strong", members: has to be a list in \[ \]'),
        ('members = ["s"]', "members = [7]", r"members 1: has to be a text in quotes"),
        ('answer = "choice"\n', "", r"dataset, answer: is missing; add it"),
        ('name = "staged"', f'name = "{121 * "n"}"', r"name: has to have at most 120 characters"),
        ('name = "staged"', 'name = " "', r"arm 2 .*, name: is empty; give it a text"),
        ("stop_at = 1", 'stop_at = "high"', r"stop_at: has to be a number"),
        ("baseline = true", "baseline = 1", r"baseline: has to be true or false"),
        ("[dataset]", "[run]\nconcurrency = 1.5\n[dataset]", r"run, concurrency: has to be a whole number"),
        ("[dataset]", "run = 3\n[dataset]", r"run: has to be a table"),
        ("[dataset]", "[run]\nmax_cost_usd = -1\n[dataset]", r"run, max_cost_usd: .*greater than 0"),
        ("[[arm]]\nname = \"staged\"", "[arm]\nname = \"staged\"", r"is not valid TOML"),
    ],
)  # fmt: skip
def test_a_bad_spec_says_in_one_line_where_and_what(folder: Path, written: str, instead: str, message: str) -> None:
    assert written in SPEC
    with pytest.raises(BadSpec, match=message) as caught:
        read_spec(_write(folder, SPEC.replace(written, instead, 1)))
    assert "\n" not in str(caught.value)


def test_weights_and_weights_from_exclude_each_other(folder: Path) -> None:
    both = (
        'strategy = "weighted"\nweights = [1, 1, 1]\n'
        'weights_from = { items = "items.jsonl", recorded = "outputs.jsonl" }'
    )
    with pytest.raises(BadSpec, match="not both"):
        read_spec(_write(folder, SPEC.replace("stop_at = 1", both)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="cannot be read"):
        read_spec(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8(folder: Path) -> None:
    path = folder / "spec.toml"
    path.write_bytes(b'title = "caf\xe9"')
    with pytest.raises(BadSpec, match="UTF-8"):
        read_spec(path)
