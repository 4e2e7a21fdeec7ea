"""What the charts of the monitoring page share: the steps of the span as an axis, and the table behind each chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from evaluation.models import Grain
from evaluation.selectors.monitoring import MonitoringPage, StepFigures
from fusion_site.lib.chart import Chart

_DAY = timedelta(days=1)
# How many steps from one tick to the next, by the number of steps.
_TICKS = {14: 3, 24: 4, 30: 6, 56: 16, 90: 18}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A page, and the time zone its times are shown in. Places on the axis are UTC, so that no hour comes twice."""

    page: MonitoringPage
    zone: tzinfo

    @property
    def steps(self) -> tuple[StepFigures, ...]:
        return self.page.by_step

    @property
    def places(self) -> list[str]:
        return [f"{step.starts_at:%Y-%m-%d %H:%M}" for step in self.steps]

    @property
    def names(self) -> list[str]:
        return [self.name_of(step.starts_at) for step in self.steps]

    def name_of(self, starts_at: datetime) -> str:
        """The beginning of a step; days are days in UTC whatever the zone."""
        if self.page.steps.grain == Grain.DAY:
            return f"{starts_at.day} {starts_at:%b}"
        here = starts_at.astimezone(self.zone)
        return f"{here.day} {here:%b %H:%M}"

    @property
    def axis(self) -> dict[str, Any]:
        """Half a step of room at either end."""
        half = self.page.steps.step / 2
        ends = (self.page.steps.since - half, self.page.steps.until - half)
        ticks = list(self._ticks())
        return {
            "type": "date",
            "range": [f"{end:%Y-%m-%d %H:%M}" for end in ends],
            "tickvals": [place for place, _ in ticks],
            "ticktext": [name for _, name in ticks],
            "tickangle": 0,
        }

    def _ticks(self) -> Iterator[tuple[str, str]]:
        every = _TICKS[len(self.steps)]
        is_one_day = self.page.steps.until - self.page.steps.since == _DAY
        for step, place in zip(self.steps[every // 2 :: every], self.places[every // 2 :: every], strict=True):
            name = self.name_of(step.starts_at)
            yield place, name.rpartition(" ")[2] if is_one_day else " ".join(name.split()[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure of every step. Without a ``key`` it is not exported: a number there already says it."""

    head: str
    read: Callable[[StepFigures], Any]
    words: Callable[[Any], str]
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure with the words that depend on what is in it."""

    subtitle: str
    finding: str
    figure: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChart:
    """A chart as it is planned. ``draw`` gives None where there is nothing to draw, and ``lacking`` says why."""

    name: str
    title: str
    lacking: str
    columns: tuple[Column, ...]
    draw: Callable[[Frame], Drawing | None]

    def on(self, frame: Frame) -> Chart | None:
        drawn = self.draw(frame)
        if drawn is None:
            return None
        return Chart(
            id=self.name,
            title=self.title,
            subtitle=drawn.subtitle,
            finding=drawn.finding,
            figure=drawn.figure,
            heads=("Step", *(column.head for column in self.columns)),
            rows=tuple(self._rows(frame)),
            size="short",
        )

    @property
    def keys(self) -> tuple[str, ...]:
        return ("starts_at", *(column.key for column in self.columns if column.key))

    def records(self, page: MonitoringPage) -> Iterator[Mapping[str, Any]]:
        """Every step, empty ones too, with plain numbers."""
        for step in page.by_step:
            figures = {column.key: column.read(step) for column in self.columns if column.key}
            yield {"starts_at": step.starts_at.isoformat(), **figures}

    def _rows(self, frame: Frame) -> Iterator[tuple[str, ...]]:
        """Steps in which nobody asked are left out."""
        for step, name in zip(frame.steps, frame.names, strict=True):
            if step.answers.answers or step.spend.calls:
                yield (name, *(column.words(column.read(step)) for column in self.columns))
