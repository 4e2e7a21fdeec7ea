"""How far members agree, and how sure the fused answers are: shares of four bands, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from evaluation.charts.monitoring.columns import ANSWERS, count_column
from evaluation.charts.monitoring.drawing import stack
from evaluation.charts.monitoring.frame import Column, Drawing, Frame, StepChart
from evaluation.models import AnswerRollup
from evaluation.selectors.traffic import AnswerSums
from fusion_site.lib.chart import PANEL, SKY, Look
from fusion_site.lib.figures import format_count, format_percent

Bins = Callable[[AnswerSums], Sequence[int]]
# Name to the first bin of the band and the one after its last; a bin is 0.05 wide. The strongest stands below.
CONSENSUS_BANDS = {"0.95 to 1": (19, 20), "0.75 to 0.95": (15, 19), "0.5 to 0.75": (10, 15), "under 0.5": (0, 10)}
CONFIDENCE_BANDS = {"0.9 to 1": (18, 20), "0.7 to 0.9": (14, 18), "0.5 to 0.7": (10, 14), "under 0.5": (0, 10)}


def _consensus(answers: AnswerSums) -> Sequence[int]:
    return answers.consensus


def _confidence(answers: AnswerSums) -> Sequence[int]:
    return answers.confidence


def _draw(frame: Frame, *, noun: str, bins: Bins, bands: Mapping[str, tuple[int, int]], look: Look) -> Drawing | None:
    whole = bins(frame.page.answers)
    if not sum(whole):
        return None
    shares = {name: [_share(bins(step.answers), band) for step in frame.steps] for name, band in bands.items()}
    first, *_, last = bands
    counted = format_count(sum(whole))
    return Drawing(
        subtitle=f"% of answers by {noun}, {counted} answers that have one",
        finding=(
            f"{_percent(whole, bands[first])} % of {counted} answers have a {noun} of {first}, "
            f"{_percent(whole, bands[last])} % {last}."
        ),
        figure=stack(frame, shares, look=look),
    )


def _share(counts: Sequence[int], band: tuple[int, int]) -> float | None:
    """In percent."""
    total = sum(counts)
    return sum(counts[slice(*band)]) / total * 100 if total else None


def _percent(counts: Sequence[int], band: tuple[int, int]) -> str:
    return format_percent(sum(counts[slice(*band)]) / sum(counts))


def _columns(bins: Bins, bands: Mapping[str, tuple[int, int]]) -> tuple[Column, ...]:
    return tuple(_column(bins, name, band) for name, band in bands.items())


def _column(bins: Bins, name: str, band: tuple[int, int]) -> Column:
    low, high = (edge / AnswerRollup.BINS for edge in band)
    return count_column(f"from_{low:g}_to_{high:g}", name, lambda step: sum(bins(step.answers)[slice(*band)]))


CONSENSUS = StepChart(
    name="consensus",
    title="Consensus",
    lacking="No answer came in.",
    columns=(ANSWERS, *_columns(_consensus, CONSENSUS_BANDS)),
    draw=partial(_draw, noun="consensus", bins=_consensus, bands=CONSENSUS_BANDS, look=PANEL),
)
CONFIDENCE = StepChart(
    name="confidence",
    title="Confidence",
    lacking="No answer has a confidence: it has to be calibrated on labelled answers first.",
    columns=(
        count_column("with_confidence", "With a confidence", lambda step: sum(step.answers.confidence)),
        *_columns(_confidence, CONFIDENCE_BANDS),
    ),
    draw=partial(_draw, noun="confidence", bins=_confidence, bands=CONFIDENCE_BANDS, look=SKY),
)
