"""How far a panel agrees, and whether agreement tells right from wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.results import ConsensusBands
from evaluation.selectors.items import ItemFilter
from evaluation.stats.bands import Band
from fusion_site.lib.chart import Cell, Chart, Look
from fusion_site.lib.figures import format_count, format_interval, format_percent


def consensus_chart(bands: ConsensusBands, *, looks: Mapping[int, Look], items_url: str) -> Chart:
    """How one panel's answers spread over consensus; each bar is labelled with how often its answers are right."""
    total = sum(band.n for band in bands.bands)
    tallest = max(band.n for band in bands.bands)
    look = looks[bands.arm_id]
    return Chart(
        id=f"consensus-{bands.arm_id}",
        title=f"Consensus, {bands.arm}",
        subtitle=f"Answers by consensus, n {format_count(total)}. Over each bar: how many, and how many % are right.",
        finding=_consensus_finding(bands, total),
        figure={
            "data": [_bars(bands, look, items_url)],
            "layout": {
                "bargap": 0.18,
                "xaxis": {"title": "Consensus", "type": "category", "tickangle": 0},
                "yaxis": {"title": "Answers", "range": [0, tallest * 1.28 or 1], "rangemode": "tozero"},
            },
        },
        heads=("Consensus", "Answers", "Scored", "Right, %", "95 % interval"),
        rows=tuple(_band_row(band, bands.arm_id, items_url) for band in bands.bands),
        size="mid",
    )


def _bars(bands: ConsensusBands, look: Look, items_url: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [_band_name(band) for band in bands.bands],
        "y": [band.n for band in bands.bands],
        "text": [f"{format_count(band.n)}<br>{_right(band)}" if band.n else "0" for band in bands.bands],
        "textposition": "outside",
        "textfont": {"size": 11, "color": "--ink-2"},
        "cliponaxis": False,
        "customdata": [_band_url(band, bands.arm_id, items_url) for band in bands.bands],
        "marker": {"color": f"{look.color}/0.75", "line": {"color": look.color, "width": 1}},
        "hovertemplate": "consensus %{x}<br>%{y:,} answers<extra></extra>",
    }


def _band_row(band: Band, arm_id: int, items_url: str) -> tuple[str | Cell, ...]:
    bounds = None if band.accuracy is None else (band.accuracy.low, band.accuracy.high)
    return (
        Cell(text=_band_name(band), url=_band_url(band, arm_id, items_url)),
        format_count(band.n),
        format_count(band.scored),
        format_percent(band.correct / band.scored if band.scored else None),
        format_interval(bounds),
    )


def _band_url(band: Band, arm_id: int, items_url: str) -> str:
    return items_url + ItemFilter(arm=arm_id, consensus_from=band.low, consensus_to=band.high).query()


def _band_name(band: Band) -> str:
    return f"{band.low:g} to {band.high:g}"


def _right(band: Band) -> str:
    return f"{format_percent(band.correct / band.scored)} %" if band.scored else "unscored"


def _consensus_finding(bands: ConsensusBands, total: int) -> str:
    top, rest = bands.bands[-1], bands.bands[:-1]
    if not total:
        return "No answer was recorded."
    first = f"{format_count(top.n)} of {format_count(total)} answers reach a consensus of {top.low:g} or more"
    scored, correct = sum(band.scored for band in rest), sum(band.correct for band in rest)
    if not top.scored or not scored:
        return f"{first}." if not top.scored else f"{first}, and {_right(top)} of them are right."
    return f"{first}, and {_right(top)} of them are right; of the others, {format_percent(correct / scored)} %."
