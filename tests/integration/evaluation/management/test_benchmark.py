from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evaluation.models import Answer, DatasetVersion, Experiment, Run
from panels.models import PanelVersion

pytestmark = pytest.mark.django_db(transaction=True)

FIVE = (
    '["Phi-3-mini-4k-instruct", "Meta-Llama-3.1-8B-Instruct", "c4ai-command-r-v01", "Mistral-7B-Instruct-v0.2", '
    '"Qwen1.5-7B-Chat"]'
)
MMLU_ARMS = f"""
[[arm]]
name = "gpt-4o"
baseline = true
members = ["gpt-4o-2024-05-13"]
[[arm]]
name = "flash"
members = ["gemini-1.5-flash-002"]
[[arm]]
name = "three"
members = ["gemini-1.5-flash-002", "DeepSeek-Coder-V2", "Meta-Llama-3.1-70B-Instruct"]
[[arm]]
name = "five"
members = {FIVE}
[[arm]]
name = "five, weighted"
members = {FIVE}
strategy = "weighted"
weights_from = {{ items = "DATA/items.jsonl.gz", recorded = "DATA/outputs.jsonl.gz" }}
[[arm]]
name = "staged"
stop_at = 1.0
stages = [
  {{ members = ["gemini-1.5-flash-002", "Meta-Llama-3.1-70B-Instruct"] }},
  {{ members = ["gpt-4o-2024-05-13"], settles = true }},
]
[[arm]]
name = "staged pro"
stop_at = 1.0
stages = [
  {{ members = ["gemini-1.5-flash-002", "DeepSeek-Coder-V2"] }},
  {{ members = ["gemini-3.1-pro-preview"], settles = true }},
]
"""
# correct, abstained, calls, escalated, cost in dollars: computed by an independent implementation.
MMLU_TABLE = {
    "gpt-4o": (1401, 12, 1832, 0, 12.9133),
    "flash": (1193, 9, 1832, 0, 0.087084),
    "three": (1263, 0, 5496, 0, 0.863433),
    "five": (856, 3, 9160, 0, 1.027302),
    "five, weighted": (873, 3, 9160, 0, 1.027302),
    "staged": (1384, 0, 4333, 669, 6.469464),
    "staged pro": (1487, 0, 4252, 588, 2.353405),
}


def _run(spec: Path) -> dict[str, Any]:
    out = StringIO()
    call_command("benchmark", str(spec), json=True, stdout=out)
    loaded = json.loads(out.getvalue())
    assert isinstance(loaded, dict)
    return loaded


def test_reproduces_the_reference_table(recorded_data: Path, tmp_path: Path) -> None:
    folder = recorded_data.resolve() / "mmlu_pro"
    dataset = f"""
title = "Reference"
[dataset]
items = "{folder}/items.jsonl.gz"
recorded = "{folder}/outputs.jsonl.gz"
models = "{folder}/models.json"
answer = "choice"
"""
    spec = tmp_path / "spec.toml"
    spec.write_text(dataset + MMLU_ARMS.replace("DATA", str(folder)))
    report = _run(spec)
    assert report["dataset"] == {"items": 1832}
    measured = {
        arm["name"]: (arm["correct"], arm["abstained"], arm["calls"], arm["escalated"], round(arm["cost_usd"], 6))
        for arm in report["arms"]
    }
    assert measured == MMLU_TABLE
    assert all(arm["n"] == 1832 and arm["accuracy"] == arm["correct"] / 1832 for arm in report["arms"])
    staged = next(row for row in report["comparisons"] if row["arm"] == "staged pro")
    assert (staged["both"], staged["only_arm"], staged["only_baseline"], staged["neither"]) == (1286, 201, 115, 230)
    assert staged["difference"] == pytest.approx((1487 - 1401) / 1832)


ITEMS = [
    {"id": "q1", "prompt": "One?", "choices": ["A", "B"], "reference": "A"},
    {"id": "q2", "prompt": "Two?", "choices": ["A", "B"], "reference": "B"},
]
SPEC = """
[dataset]
items = "items.jsonl"
recorded = "outputs.jsonl"
models = "models.json"
answer = "choice"
[[arm]]
name = "strong"
baseline = true
members = ["strong"]
[[arm]]
name = "pair"
members = ["weak", "strong"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    outputs = [
        {"item_id": item, "model": model, "text": text, "prompt_tokens": 1000, "completion_tokens": 100}
        for item, model, text in (
            ("q1", "strong", "A"),
            ("q2", "strong", "The answer is B."),
            ("q1", "weak", "B"),
            ("q2", "weak", "?"),
        )
    ]
    prices = [
        {"model": "strong", "price_in_per_mtok": 2.5, "price_out_per_mtok": 10},
        {"model": "weak", "price_in_per_mtok": None, "price_out_per_mtok": None},
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, ITEMS)))
    (tmp_path / "outputs.jsonl").write_text("\n".join(map(json.dumps, outputs)))
    (tmp_path / "models.json").write_text(json.dumps(prices))
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def test_counts_by_hand(spec: Path) -> None:
    strong, pair = _run(spec)["arms"]
    assert (strong["correct"], strong["abstained"], strong["calls"], strong["cost_usd"]) == (2, 0, 2, 0.007)
    # The pair ties on q1, which its first member decides wrongly; on q2 one abstains, and one of two asked stands.
    assert (pair["correct"], pair["calls"], pair["mean_consensus"]) == (1, 4, 0.5)
    assert pair["cost_usd"] is None  # one price is unknown, so the sum is


def test_a_second_run_uses_dataset_and_panels_again(spec: Path) -> None:
    first, second = _run(spec), _run(spec)
    assert first == second
    assert DatasetVersion.objects.count() == 1
    assert PanelVersion.objects.count() == 2
    assert (Experiment.objects.count(), Run.objects.count(), Answer.objects.count()) == (2, 2, 8)


def test_the_table_names_arms_figures_and_test(spec: Path) -> None:
    out = StringIO()
    call_command("benchmark", str(spec), stdout=out)
    table = out.getvalue()
    assert "strong (baseline)" in table
    assert "$0.0070" in table
    assert "unknown" in table
    assert "McNemar" in table


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ('["weak", "strong"]', '["week", "strong"]', 'arm "pair": unknown model "week"; did you mean weak?'),
        ('["weak", "strong"]', '["zzz"]', "the recorded outputs hold none of that name"),
        ("baseline = true", "", "exactly one"),
        ("[dataset]", "colour = 1\n[dataset]", "colour: unknown key"),
    ],
)
def test_a_bad_spec_ends_with_code_2_and_one_line(spec: Path, written: str, instead: str, message: str) -> None:
    spec.write_text(SPEC.replace(written, instead))
    with pytest.raises(CommandError) as caught:
        _run(spec)
    assert caught.value.returncode == 2
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Run.objects.exists()


def test_weights_need_references(spec: Path) -> None:
    unlabelled = [{key: value for key, value in item.items() if key != "reference"} for item in ITEMS]
    (spec.parent / "unlabelled.jsonl").write_text("\n".join(map(json.dumps, unlabelled)))
    weights = 'strategy = "weighted"\nweights_from = { items = "unlabelled.jsonl", recorded = "outputs.jsonl" }'
    spec.write_text(SPEC + weights)
    with pytest.raises(CommandError, match="has no references") as caught:
        _run(spec)
    assert caught.value.returncode == 2


def test_a_broken_file_is_named_by_line(spec: Path) -> None:
    with (spec.parent / "outputs.jsonl").open("a") as outputs:
        outputs.write('\n{"item_id": "q9", "model": "weak", "text": "A"}')
    with pytest.raises(CommandError, match=r"outputs\.jsonl:5 item_id") as caught:
        _run(spec)
    assert caught.value.returncode == 2
