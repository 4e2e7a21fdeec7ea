"""From one arm's columns to the map from its consensus to confidence, and from that to its answers' confidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from evaluation.execution.rollups import mark_run_due
from evaluation.execution.tallies import ArmTally, RunTally
from evaluation.models import Answer, Calibration, Run
from evaluation.results import ArmCalibration
from evaluation.stats.calibration import METHOD, CalibratedAnswers, ConfidenceMap, confidence_of, fit_calibration

_CHUNK_ANSWERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedArm:
    """``confidence`` by column index of the answers that have one; without a map there are none."""

    tally: ArmTally
    score: ArmCalibration
    confidence: Mapping[int, float]


def calibrate_arms(tally: RunTally) -> tuple[CalibratedArm, ...]:
    return tuple(_calibrate(arm, tally) for arm in tally.arms)


def _calibrate(arm: ArmTally, tally: RunTally) -> CalibratedArm:
    """An example's position names it, so that it falls into the same fold in every arm and run."""
    answered = [index for index, said in enumerate(arm.answered) if said]
    marks = {index: mark for index in answered if (mark := arm.marks[index]) is not None}
    fitted = fit_calibration(
        [arm.consensus[index] for index in marks],
        list(marks.values()),
        keys=[tally.positions[index] for index in marks],
        seed=tally.run.pk,
    )
    score = ArmCalibration(
        arm_id=arm.arm.pk,
        arm=arm.arm.name,
        answered=len(answered),
        labelled=len(marks),
        fitted=fitted.fitted if fitted else None,
    )
    return CalibratedArm(tally=arm, score=score, confidence=_confidence(arm, answered, list(marks), fitted))


def _confidence(
    arm: ArmTally, answered: Sequence[int], labelled: Sequence[int], fitted: CalibratedAnswers | None
) -> dict[int, float]:
    """Held out where the answer is labelled; the map that never saw the others speaks for them."""
    if fitted is None:
        return {}
    steps = fitted.fitted.steps
    told = {index: confidence_of(arm.consensus[index], steps) for index in answered}
    return {index: said for index, said in told.items() if said is not None} | dict(
        zip(labelled, fitted.held_out, strict=True)
    )


def store_calibrations(run: Run, arms: Sequence[CalibratedArm], *, positions: Sequence[int], now: datetime) -> None:
    """Writes the maps and every answer's confidence, and takes back what an earlier result of the run had.

    Within a transaction; the same arms leave the same rows, by whichever worker.
    """
    Answer.objects.filter(run=run, confidence__isnull=False).update(confidence=None)
    kept = []
    for arm in arms:
        for confidence, held in _by_confidence(arm, positions):
            Answer.objects.filter(run=run, arm=arm.tally.arm, position__in=held).update(confidence=confidence)
        if arm.score.fitted is not None:
            kept.append(_store_map(run, arm.tally.arm.panel_version_id, arm.score.fitted, now=now))
    Calibration.objects.filter(run=run).exclude(pk__in=kept).delete()
    mark_run_due(run)


def _by_confidence(arm: CalibratedArm, positions: Sequence[int]) -> Iterator[tuple[float, list[int]]]:
    """Few answers differ in confidence, so one update serves many of them."""
    held: dict[float, list[int]] = {}
    for index, confidence in arm.confidence.items():
        held.setdefault(confidence, []).append(positions[index])
    for confidence, own in held.items():
        for start in range(0, len(own), _CHUNK_ANSWERS):
            yield confidence, own[start : start + _CHUNK_ANSWERS]


def _store_map(run: Run, panel_version_id: int, fitted: ConfidenceMap, *, now: datetime) -> int:
    values = {
        "method": METHOD,
        "n": fitted.n,
        "error": fitted.error,
        "steps": [asdict(step) for step in fitted.steps],
    }
    stored, _ = Calibration.objects.update_or_create(
        panel_version_id=panel_version_id, run=run, defaults=values, create_defaults={**values, "created_at": now}
    )
    return stored.pk
