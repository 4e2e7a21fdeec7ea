from __future__ import annotations

from typing import Any

import pytest

from evaluation.execution.results import compute_result
from evaluation.models import Answer, Run, RunResult
from evaluation.results import RESULT_FORMAT
from evaluation.selectors.items import ItemFilter, filtered_answers
from evaluation.selectors.results import run_results
from panels.fusion.types import Reply
from tests.integration.evaluation.execution.fused_runs import (
    NOW,
    ArmPlan,
    fuse_run,
    make_models,
    make_run,
    make_version,
)

pytestmark = pytest.mark.django_db

SAID = {"strong": "AAAB", "a": "AABB", "b": "ABAA", "c": "ABAA"}
PLANS = (
    ArmPlan(name="three", stages=(("a", "b", "c"),)),
    ArmPlan(name="one model", stages=(("strong",),), is_baseline=True),
)


@pytest.fixture
def run() -> Run:
    version = make_version([{"id": f"i{place}", "reference": "A", "choices": ["A", "B"]} for place in range(4)])
    make_models(SAID, {})
    made = make_run(version, PLANS)
    replies = {(f"i{place}", name): Reply(text=said[place]) for name, said in SAID.items() for place in range(4)}
    fuse_run(made, PLANS, replies)
    return made


def test_the_page_waits_for_a_result_of_this_format(run: Run) -> None:
    assert run_results(run) is None
    compute_result(run_id=run.pk, now=NOW)
    RunResult.objects.update(format=RESULT_FORMAT + 1)
    assert run_results(run) is None


def test_the_page_is_read_in_three_queries(run: Run, django_assert_num_queries: Any) -> None:
    compute_result(run_id=run.pk, now=NOW)
    with django_assert_num_queries(3):
        page = run_results(run)
    assert page is not None
    assert [row.head.name for row in page.arms] == ["one model", "three"]
    assert page.baseline.score.correct == 3
    assert page.computed_at == NOW
    assert page.heads[page.arms[1].head.pk].members == ("a", "b", "c")


def test_every_cell_of_the_table_opens_as_many_items_as_it_counts(run: Run) -> None:
    compute_result(run_id=run.pk, now=NOW)
    page = run_results(run)
    assert page is not None
    row = page.comparisons[0]
    # strong is right on 0, 1, 2; three on 0, 2, 3.
    assert [cell.count for cell in row.cells] == [2, 1, 1, 0]
    arm = run.experiment.arms.get(name="three")
    for cell in row.cells:
        pairs = dict(pair.split("=") for pair in cell.query.removeprefix("?").split("&"))
        assert filtered_answers(run, arm=arm, wanted=ItemFilter.from_query(pairs)).count() == cell.count
    assert row.accuracy.startswith("No clear difference from one model")


def test_every_band_opens_as_many_items_as_it_counts(run: Run) -> None:
    compute_result(run_id=run.pk, now=NOW)
    page = run_results(run)
    assert page is not None
    for bands in page.data.bands:
        arm = run.experiment.arms.get(pk=bands.arm_id)
        for band in bands.bands:
            wanted = ItemFilter(arm=arm.pk, consensus_from=band.low, consensus_to=band.high)
            assert filtered_answers(run, arm=arm, wanted=wanted).count() == band.n
    assert Answer.objects.filter(run=run).count() == 8
