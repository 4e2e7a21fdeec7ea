"""The evidence of a change request as values: frozen as JSON when it is gathered, and read back for the page.

Shares are in [0, 1], money is nano-dollars, latencies are seconds; None is unknown or not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval. ``n`` is what it was measured on."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def bounds(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """One arm of the run. ``part`` is candidate, base, baseline or base and baseline."""

    name: str
    part: str
    panel: str
    items: int
    accuracy: Estimate | None = None
    p95_s: Estimate | None = None
    cost_nanousd: int | None = None
    abstained: int = 0
    failed: int = 0
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The candidate against ``against``, paired. ``words`` are the findings as the results page puts them."""

    against: str
    accuracy: Estimate | None = None
    cost_nanousd: Estimate | None = None
    cost_relative: Estimate | None = None
    p95_s: Estimate | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """An item that ``against`` had right and the candidate has wrong. The words are blank where they are personal."""

    item_id: str
    answer_id: int
    consensus: float
    title: str = ""
    said: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the data gate said when the evidence was gathered. ``findings`` are one line each, none if it was open."""

    checked_on: str
    data_class: str
    models: int
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    id: int
    title: str
    number: int
    finished_at: str
    replies: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    name: str
    slug: str
    version: int
    content_hash: str
    examples: int
    scorer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``candidate_hash`` binds it to the content it was measured with. Without a run it is the gate's word alone."""

    candidate_hash: str
    gate: Gate | None = None
    run: RunFacts | None = None
    dataset: DatasetFacts | None = None
    workflow: str = ""
    arms: tuple[ArmFigures, ...] = ()
    differences: Differences | None = None
    regressions: tuple[Regression, ...] = ()
    lost: int = 0


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    return _plain(asdict(evidence))  # type: ignore[no-any-return] # of a mapping comes a mapping


def read_evidence(stored: Mapping[str, Any]) -> Evidence:
    """The value that was frozen; what a stored one lacks is blank."""
    differences, gate = stored.get("differences"), stored.get("gate")
    return Evidence(
        candidate_hash=stored.get("candidate_hash", ""),
        gate=None if gate is None else Gate(**{**gate, "findings": tuple(gate["findings"])}),
        run=_run(stored.get("run")),
        dataset=None if stored.get("dataset") is None else DatasetFacts(**stored["dataset"]),
        workflow=stored.get("workflow", ""),
        arms=tuple(_arm(arm) for arm in stored.get("arms", ())),
        differences=None if differences is None else _differences(differences),
        regressions=tuple(Regression(**one) for one in stored.get("regressions", ())),
        lost=stored.get("lost", 0),
    )


def _run(stored: Mapping[str, Any] | None) -> RunFacts | None:
    if stored is None:
        return None
    return RunFacts(**{"finished_at": "", "replies": "", **stored})


def _arm(stored: Mapping[str, Any]) -> ArmFigures:
    estimates = {name: _estimate(stored.get(name)) for name in ("accuracy", "p95_s")}
    return ArmFigures(**{**stored, **estimates})


def _differences(stored: Mapping[str, Any]) -> Differences:
    names = ("accuracy", "cost_nanousd", "cost_relative", "p95_s")
    estimates = {name: _estimate(stored.get(name)) for name in names}
    return Differences(**{**stored, **estimates, "words": tuple(stored["words"])})


def _estimate(stored: Mapping[str, Any] | None) -> Estimate | None:
    return None if stored is None else Estimate(**stored)


def _plain(value: Any) -> Any:
    """As it comes back from either database: tuples are lists."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
