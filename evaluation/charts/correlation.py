"""Which models fail together, and what their agreement is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.charts.words import label, named
from evaluation.results import ResultData
from evaluation.stats.correlation import CorrelationMatrix
from fusion_site.lib.chart import Chart
from fusion_site.lib.figures import format_count, format_number

_MOST_VOTERS = 12
_NAME_CHARACTERS = 18


def correlation_chart(data: ResultData) -> Chart | None:
    """φ of each two voters' errors as a lower triangle, the first twelve voters; a pair without variance is empty."""
    if data.correlation is None:
        return None
    matrix = data.correlation
    shown = len(matrix.names[:_MOST_VOTERS])
    names = matrix.names[:shown]
    pairs = [(row, column) for row in range(1, shown) for column in range(row)]
    more = f" The first {shown} of {len(matrix.names)} voters." if shown < len(matrix.names) else ""
    return Chart(
        id="correlation",
        title="Error correlation between models",
        subtitle=f"φ of being wrong on the same examples: 0 is independent, 1 always together.{more}",
        finding=_correlation_finding(data, matrix, pairs),
        figure={
            "data": [_heat(matrix, names)],
            "layout": {
                "annotations": [_heat_note(matrix, names, row, column) for row, column in pairs],
                "xaxis": {**_names_axis(names[:-1]), "tickangle": 0 if shown < 5 else -35},
                "yaxis": {**_names_axis(names[1:]), "autorange": "reversed", "showgrid": False},
            },
        },
        heads=("Pair", "φ", "Common examples"),
        rows=tuple(_pair_row(matrix, row, column) for row, column in pairs),
        size="tall" if shown > 6 else "",
    )


def _names_axis(names: Sequence[str]) -> dict[str, Any]:
    """Two long names may look alike once they are cut, so the whole ones tell rows and columns apart."""
    cut = [label(name, _NAME_CHARACTERS) for name in names]
    return {"type": "category", "tickmode": "array", "tickvals": list(names), "ticktext": cut}


def _heat(matrix: CorrelationMatrix, names: Sequence[str]) -> dict[str, Any]:
    """Rows are the second voter on, columns all but the last; the upper half is empty."""
    lines = range(1, len(names))
    return {
        "type": "heatmap",
        "x": list(names[:-1]),
        "y": list(names[1:]),
        "z": [
            [matrix.values[row][column] if column < row else None for column in range(len(names) - 1)] for row in lines
        ],
        "text": [[format_count(matrix.pairs[row][column]) for column in range(len(names) - 1)] for row in lines],
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "zmax": 1,
        "showscale": False,
        "hoverongaps": False,
        # Ink stays readable on the strongest colour, light and dark.
        "colorscale": [[0, "--c-panel/0.05"], [1, "--c-panel/0.5"]],
        "hovertemplate": "%{y} and %{x}: %{z:.2f}<br>%{text} common examples<extra></extra>",
    }


def _heat_note(matrix: CorrelationMatrix, names: Sequence[str], row: int, column: int) -> dict[str, Any]:
    phi = matrix.values[row][column]
    text = "none" if phi is None else format_number(phi, 2)
    size = 12 if len(names) < 7 else 9
    return {
        "x": names[column],
        "y": names[row],
        "text": text,
        "showarrow": False,
        "font": {"size": size, "color": "--ink"},
    }


def _pair_row(matrix: CorrelationMatrix, row: int, column: int) -> tuple[str, ...]:
    phi = matrix.values[row][column]
    pair = f"{matrix.names[column]} and {matrix.names[row]}"
    return pair, "none" if phi is None else format_number(phi, 2), format_count(matrix.pairs[row][column])


def _correlation_finding(data: ResultData, matrix: CorrelationMatrix, pairs: Sequence[tuple[int, int]]) -> str:
    known = [(phi, row, column) for row, column in pairs if (phi := matrix.values[row][column]) is not None]
    worth = [
        f"the {len(arm.members)} members of {named(arm.name)} are worth {format_number(voters)} independent voters"
        for arm in data.arms
        if (voters := arm.effective_voters) is not None and not arm.is_single
    ]
    if not known:
        return "No two models can be compared: one of each two made no error, or only errors."
    phi, row, column = max(known)
    most = f"{matrix.names[column]} and {matrix.names[row]} err together most (φ {format_number(phi, 2)})"
    return f"{'; '.join([most, *worth])}."
