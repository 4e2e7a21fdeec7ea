from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evaluation.results import from_json, to_json
from evaluation.stats.calibration import Step
from tests.unit.evaluation.result_values import (
    make_arm,
    make_calibration,
    make_comparison,
    make_map,
    make_member,
    make_result,
    make_step,
)


def test_what_is_stored_is_read_back_as_it_was() -> None:
    data = make_result()
    assert from_json(json.loads(json.dumps(to_json(data)))) == data


def test_a_whole_number_is_read_back_as_the_float_it_was() -> None:
    stored = json.loads(json.dumps(to_json(make_result())))
    stored["arms"][0]["accuracy"] = 1
    assert isinstance(from_json(stored).arms[0].accuracy, float)


def test_unknown_survives_storing() -> None:
    arm = make_arm(cost_nanousd=None, accuracy=None, interval=None, n=0)
    data = make_result(arms=(arm,), comparisons=(), correlation=None)
    read = from_json(json.loads(json.dumps(to_json(data))))
    assert (read.arms[0].cost_nanousd, read.arms[0].accuracy, read.correlation) == (None, None, None)


def test_another_format_is_refused() -> None:
    stored = to_json(make_result())
    del stored["arms"][0]["correct"]
    with pytest.raises(KeyError, match="correct"):
        from_json(stored)


def test_a_result_of_the_format_before_confidence_is_still_read() -> None:
    stored = json.loads(json.dumps(to_json(make_result())))
    del stored["calibrations"]
    assert from_json(stored) == make_result(calibrations=())


def test_the_result_knows_its_baseline_and_what_it_rests_on() -> None:
    base, panel = make_arm(arm_id=1, is_baseline=True), make_arm(arm_id=2, simulated=True)
    data = make_result(arms=(panel, base))
    assert data.baseline is base
    assert data.is_simulated
    assert data.is_scored
    assert not make_result(arms=(replace(base, n=0),)).is_scored


def test_an_arm_of_one_member_is_single() -> None:
    assert make_arm(members=(make_member(),)).is_single
    assert not make_arm(members=(make_member(), make_member(seat=1))).is_single


@pytest.mark.parametrize(
    ("steps", "apart"), [((make_step(),), False), ((make_step(low=0.5, high=0.5), make_step()), True)]
)
def test_confidence_tells_answers_apart_where_it_has_two_steps(steps: tuple[Step, ...], apart: bool) -> None:
    assert make_calibration(fitted=make_map(steps=steps)).tells_apart is apart


def test_without_a_map_nothing_is_told_apart() -> None:
    assert not make_calibration(fitted=None).tells_apart


def test_the_cells_of_a_comparison_add_up() -> None:
    comparison = make_comparison()
    cells = comparison.both + comparison.only_arm + comparison.only_baseline + comparison.neither
    assert cells == comparison.pairs
