from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evaluation.execution.results import compute_result
from evaluation.execution.work import close_run, runs_without_result
from evaluation.models import Answer, Calibration, Run, RunResult
from evaluation.results import RESULT_FORMAT, ArmCalibration, from_json
from evaluation.selectors.calibrations import newest_steps
from evaluation.stats.calibration import FEWEST_LABELLED, confidence_of, fit_calibration
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

PLANS = (
    ArmPlan(name="one", stages=(("a",),), is_baseline=True),
    ArmPlan(name="three", stages=(("a", "b", "c"),)),
)
# What a, b and c said to an example whose right answer is A; "-" could not be read.
UNANIMOUS, RIGHT_VOTE, WRONG_VOTE, SILENT = "AAA", "ABA", "BCB", "---"


def run_of(said: list[str], *, unlabelled: int = 0) -> Run:
    """The last ``unlabelled`` examples have no reference."""
    labelled = len(said) - unlabelled
    items = [
        {"id": f"i{place}", "choices": ["A", "B", "C"], "reference": "A" if place < labelled else None}
        for place in range(len(said))
    ]
    version = make_version(items)
    make_models("abc", {})
    run = make_run(version, PLANS)
    replies = {
        (f"i{place}", model): Reply(text="?" if letter == "-" else letter)
        for place, letters in enumerate(said)
        for model, letter in zip("abc", letters, strict=True)
    }
    fuse_run(run, PLANS, replies)
    Run.objects.filter(pk=run.pk).update(finished_at=NOW)
    return run


def sixty() -> list[str]:
    """30 unanimous and right, 20 by two to one and right, 10 by two to one and wrong, in turns."""
    return [RIGHT_VOTE if place % 6 in (1, 3) else WRONG_VOTE if place % 6 == 5 else UNANIMOUS for place in range(60)]


def calibrations(run: Run) -> tuple[ArmCalibration, ...]:
    return from_json(compute_result(run_id=run.pk, now=NOW).data).calibrations


def confidences(run: Run, arm: str = "three") -> list[float | None]:
    answers = Answer.objects.filter(run=run, arm__name=arm).order_by("position")
    return list(answers.values_list("confidence", flat=True))


def test_a_labelled_run_gives_every_arm_a_map() -> None:
    one, three = calibrations(run_of(sixty()))
    assert one.fitted is not None
    assert three.fitted is not None
    assert [(step.low, step.n, step.correct) for step in one.fitted.steps] == [(1.0, 60, 50)]
    assert [(step.low, step.n, step.correct) for step in three.fitted.steps] == [(0.666667, 30, 20), (1.0, 30, 30)]
    assert [step.confidence for step in three.fitted.steps] == pytest.approx([21 / 32, 31 / 32])
    assert (three.arm, three.answered, three.labelled) == ("three", 60, 60)


def test_each_answer_has_the_confidence_of_a_map_that_did_not_see_it() -> None:
    run = run_of(sixty())
    compute_result(run_id=run.pk, now=NOW)
    rows = Answer.objects.filter(run=run, arm__name="three").order_by("position")
    shares, marks = zip(*rows.values_list("consensus", "correct"), strict=True)
    expected = fit_calibration(shares, marks, keys=range(60), seed=run.pk)
    assert expected is not None
    assert confidences(run) == list(expected.held_out)


def test_an_abstention_has_no_confidence_and_is_not_calibrated_on() -> None:
    run = run_of([*sixty(), SILENT, SILENT])
    three = calibrations(run)[1]
    assert (three.answered, three.labelled) == (60, 60)
    assert confidences(run)[-2:] == [None, None]
    assert None not in confidences(run)[:60]


def test_an_answer_without_a_label_is_told_by_the_whole_map() -> None:
    run = run_of([*sixty(), UNANIMOUS, RIGHT_VOTE, "ABC"], unlabelled=3)
    three = calibrations(run)[1]
    assert (three.answered, three.labelled) == (63, 60)
    # No labelled answer had three members at odds, so nothing is known of those.
    assert confidences(run)[-3:] == [pytest.approx(31 / 32), pytest.approx(21 / 32), None]


def test_without_enough_labels_confidence_stays_blank() -> None:
    run = run_of([UNANIMOUS] * 60, unlabelled=60 - FEWEST_LABELLED + 1)
    three = calibrations(run)[1]
    assert (three.labelled, three.fitted) == (FEWEST_LABELLED - 1, None)
    assert set(confidences(run)) == {None}
    assert not Calibration.objects.exists()


def test_computing_again_changes_nothing() -> None:
    run = run_of(sixty())
    compute_result(run_id=run.pk, now=NOW)
    first = (confidences(run), list(Calibration.objects.order_by("pk").values()))
    compute_result(run_id=run.pk, now=NOW + timedelta(days=1))
    assert (confidences(run), list(Calibration.objects.order_by("pk").values())) == first


def test_labels_that_are_taken_back_take_confidence_with_them() -> None:
    run = run_of(sixty())
    compute_result(run_id=run.pk, now=NOW)
    Answer.objects.filter(run=run, arm__name="three", position__gte=10).update(correct=None)
    compute_result(run_id=run.pk, now=NOW)
    assert set(confidences(run)) == {None}
    assert set(Calibration.objects.values_list("panel_version__panel__name", flat=True)) == {"one"}


def test_another_answer_of_the_panel_version_takes_the_newest_map() -> None:
    run = run_of(sixty())
    compute_result(run_id=run.pk, now=NOW)
    stored = Calibration.objects.get(panel_version__panel__name="three")
    steps = newest_steps(stored.panel_version_id)
    assert confidence_of(1.0, steps) == pytest.approx(31 / 32)
    later = Run.objects.create(
        experiment=run.experiment, number=2, answers_wanted=0, finished_at=NOW + timedelta(days=1), created_at=NOW
    )
    Calibration.objects.create(
        panel_version=stored.panel_version, run=later, method="x", n=60, error=0, steps=stored.steps[:1], created_at=NOW
    )
    assert newest_steps(stored.panel_version_id) == steps[:1]
    assert newest_steps(stored.panel_version_id + 1_000) == ()


def test_one_query_stores_the_confidence_of_many_answers(django_assert_max_num_queries: Any) -> None:
    run = run_of(sixty() * 3)
    with django_assert_max_num_queries(50):
        compute_result(run_id=run.pk, now=NOW)


def test_a_result_stored_before_there_was_confidence_is_computed_anew() -> None:
    run = run_of(sixty())
    stored = compute_result(run_id=run.pk, now=NOW)
    del stored.data["calibrations"]
    RunResult.objects.update(data=stored.data, format=RESULT_FORMAT - 1)
    assert from_json(RunResult.objects.get().data).calibrations == ()
    assert runs_without_result(now=NOW + timedelta(days=100)) == [run.pk]
    close_run(run_id=run.pk, now=NOW)
    assert runs_without_result(now=NOW + timedelta(days=100)) == []
    assert len(from_json(RunResult.objects.get().data).calibrations) == 2


def test_a_result_of_a_newer_release_is_left_alone() -> None:
    run = run_of(sixty())
    compute_result(run_id=run.pk, now=NOW)
    RunResult.objects.update(format=RESULT_FORMAT + 1)
    close_run(run_id=run.pk, now=NOW)
    assert (runs_without_result(now=NOW), RunResult.objects.get().format) == ([], RESULT_FORMAT + 1)
