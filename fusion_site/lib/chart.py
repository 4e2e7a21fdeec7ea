"""What a page needs to show a chart: the figure, its words and its table. Drawn by ``static/js/charts.js``.

``figure`` is a plotly figure as plain JSON: ``{"data": [...], "layout": {...}}`` and, on top of plotly's,

* ``"labels": [{"x", "y", "text", "color"}]``: texts that belong to a point in data units. The page places them where
  they hide neither a marker nor each other; ``"along": n`` lets the text slide along trace ``n`` instead.
* ``"narrow": {...}``: layout keys that replace others under 460 px.

A colour is the name of a CSS token, ``"--c-panel"``, or with an opacity, ``"--c-panel/0.2"``: it is read when the chart
is drawn, so that light and dark need no second figure. Fonts, margins, axis and hover looks are the page's.
A point whose ``customdata`` is a path ("/runs/3/items/?arm=2") opens it on click.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A table cell that links to what the figure stands for."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """``finding`` is one plain sentence: what to see. It is also what a screen reader hears for the drawing.

    ``size`` is "", "short", "mid" or "tall". The first cell of every row is its head.
    """

    id: str
    title: str
    subtitle: str
    finding: str
    figure: dict[str, Any]
    heads: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    size: str = ""

    @property
    def data_id(self) -> str:
        return f"{self.id}-data"

    @property
    def json(self) -> str:
        """The figure for the page. A number that is not finite raises ValueError: JSON has none, a gap is None."""
        return json.dumps(self.figure, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a series looks on every chart of every page: colour is never the only difference."""

    key: str
    symbol: str
    dash: str

    @property
    def color(self) -> str:
        return f"--c-{self.key}"

    @property
    def text_color(self) -> str:
        """Label text needs more contrast than a line."""
        return f"--c-{self.key}-t"


BASELINE = Look(key="base", symbol="square", dash="5px,3px")
PANEL = Look(key="panel", symbol="circle", dash="solid")
BEST = Look(key="best", symbol="triangle-up", dash="2px,2px")
ARBITER = Look(key="arb", symbol="diamond", dash="8px,3px,2px,3px")
PINK = Look(key="pink", symbol="cross", dash="10px,4px")
SKY = Look(key="sky", symbol="pentagon", dash="1px,3px")


def arm_look(position: int, *, is_baseline: bool) -> Look:
    """The look of an arm by its place among the arms that are not the baseline; further ones repeat."""
    if is_baseline:
        return BASELINE
    others = (PANEL, BEST, ARBITER, PINK, SKY)
    return others[position % len(others)]
