"""A small result, consistent in itself, of which a test changes what it is about."""

from __future__ import annotations

from typing import Any

from evaluation.results import (
    ArmCalibration,
    ArmScore,
    Change,
    Comparison,
    ConsensusBands,
    Detectable,
    LatencyCurve,
    MemberScore,
    ResultData,
    Uplift,
)
from evaluation.stats.bands import Band
from evaluation.stats.calibration import ConfidenceMap, Step
from evaluation.stats.correlation import CorrelationMatrix
from evaluation.stats.interval import Interval


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="given")


def make_member(**changes: Any) -> MemberScore:
    given = {
        "seat": 0,
        "stage": 0,
        "model_id": 7,
        "model": "a",
        "voter": "a",
        "called": 100,
        "n": 100,
        "correct": 78,
        "accuracy": 0.78,
        "interval": interval(0.69, 0.85),
        "abstained": 1,
        "failed": 0,
        "cost_nanousd": 100_000_000,
        "cost_unknown": 0,
        "measured": 100,
        "p50_s": 0.2,
        "p95_s": 0.4,
    }
    return MemberScore(**{**given, **changes})


def make_arm(**changes: Any) -> ArmScore:
    given = {
        "arm_id": 2,
        "name": "five, weighted",
        "position": 1,
        "is_baseline": False,
        "simulated": False,
        "stages": 1,
        "items": 100,
        "n": 100,
        "correct": 83,
        "accuracy": 0.83,
        "interval": interval(0.745, 0.891),
        "abstained": 1,
        "failed": 0,
        "calls": 300,
        "escalated": 0,
        "escalation_rate": None,
        "escalation_interval": None,
        "cost_nanousd": 500_000_000,
        "cost_unknown": 0,
        "cost_per_request_nanousd": 5_000_000,
        "cost_per_correct_nanousd": 6_024_096,
        "spent_nanousd": 500_000_000,
        "spent_unknown": 0,
        "mean_consensus": 0.9,
        "measured": 100,
        "p50_s": 0.3,
        "p50_interval": interval(0.28, 0.33),
        "p95_s": 0.7,
        "p95_interval": interval(0.6, 0.9),
        "effective_voters": 1.8,
        "members": (make_member(), make_member(seat=1, model_id=8, model="b", voter="b")),
    }
    return ArmScore(**{**given, **changes})


def make_baseline(**changes: Any) -> ArmScore:
    given = {
        "arm_id": 1,
        "name": "one model",
        "position": 0,
        "is_baseline": True,
        "correct": 80,
        "accuracy": 0.80,
        "interval": interval(0.711, 0.867),
        "calls": 100,
        "cost_nanousd": 900_000_000,
        "cost_per_request_nanousd": 9_000_000,
        "cost_per_correct_nanousd": 11_250_000,
        "effective_voters": None,
        "members": (make_member(model_id=9, model="strong", voter="strong"),),
    }
    return make_arm(**{**given, **changes})


def make_change(**changes: Any) -> Change:
    given = {
        "pairs": 100,
        "estimate": -4_000_000.0,
        "interval": interval(-4_400_000.0, -3_600_000.0),
        "relative": -0.444,
        "relative_interval": interval(-0.48, -0.41),
    }
    return Change(**{**given, **changes})


def make_comparison(**changes: Any) -> Comparison:
    given = {
        "arm_id": 2,
        "arm": "five, weighted",
        "baseline_id": 1,
        "baseline": "one model",
        "pairs": 100,
        "both": 75,
        "only_arm": 8,
        "only_baseline": 5,
        "neither": 12,
        "difference": 0.03,
        "interval": interval(-0.042, 0.102),
        "p_value": 0.42,
        "p_holm": 0.42,
        "detectable": Detectable(at_10=0.093, at_20=0.127, discordance=0.13, at_observed=0.104),
        "cost": make_change(),
        "p95": None,
    }
    return Comparison(**{**given, **changes})


def make_uplift(**changes: Any) -> Uplift:
    given = {
        "arm_id": 2,
        "arm": "five, weighted",
        "member": "a",
        "member_correct": 78,
        "pairs": 100,
        "both": 74,
        "only_arm": 9,
        "only_member": 4,
        "neither": 13,
        "difference": 0.05,
        "interval": interval(-0.022, 0.121),
        "p_value": 0.18,
    }
    return Uplift(**{**given, **changes})


def make_bands(**changes: Any) -> ConsensusBands:
    bands = (
        Band(low=0.0, high=0.5, n=10, correct=4, scored=10, accuracy=interval(0.17, 0.69)),
        Band(low=0.5, high=0.9, n=0, correct=0, scored=0, accuracy=None),
        Band(low=0.9, high=1.0, n=90, correct=79, scored=90, accuracy=interval(0.79, 0.93)),
    )
    return ConsensusBands(**{"arm_id": 2, "arm": "five, weighted", "bands": bands, **changes})


def make_step(**changes: Any) -> Step:
    given = {
        "low": 1.0,
        "high": 1.0,
        "n": 70,
        "correct": 64,
        "confidence": 0.903,
        "held_out": 0.901,
        "interval": interval(0.825, 0.958),
    }
    return Step(**{**given, **changes})


def make_map(**changes: Any) -> ConfidenceMap:
    low = make_step(
        low=0.667, high=0.667, n=29, correct=19, confidence=0.645, held_out=0.642, interval=interval(0.473, 0.801)
    )
    given = {
        "n": 99,
        "correct": 83,
        "steps": (low, make_step()),
        "folds": 5,
        "resamples": 1_000,
        "error": 0.041,
        "error_interval": interval(0.004, 0.102),
        "brier": 0.124,
        "brier_constant": 0.135,
    }
    return ConfidenceMap(**{**given, **changes})


def make_calibration(**changes: Any) -> ArmCalibration:
    given = {"arm_id": 2, "arm": "five, weighted", "answered": 99, "labelled": 99, "fitted": make_map()}
    return ArmCalibration(**{**given, **changes})


def make_result(**changes: Any) -> ResultData:
    curve = LatencyCurve(
        arm_id=2, arm="five, weighted", measured=100, seconds=(0.1, 0.3, 0.7, 1.2), share=(0.01, 0.5, 0.95, 1.0)
    )
    given = {
        "items": 100,
        "arms": (make_baseline(), make_arm()),
        "comparisons": (make_comparison(),),
        "uplifts": (make_uplift(),),
        "bands": (make_bands(),),
        "latency": (curve,),
        "correlation": CorrelationMatrix(
            names=("strong", "a", "b"),
            values=((1.0, 0.3, None), (0.3, 1.0, 0.45), (None, 0.45, 1.0)),
            pairs=((100, 100, 0), (100, 100, 100), (0, 100, 100)),
        ),
        "calibrations": (make_calibration(),),
    }
    return ResultData(**{**given, **changes})
