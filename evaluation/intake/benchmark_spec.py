"""The file that describes a comparison on the command line: TOML in, checked values out."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from evaluation.scorers import SCORERS
from panels.fusion.types import AnswerKind, StrategyName

# By pydantic's type of problem, where its own words speak of Python and not of the file.
_REMEDIES = {
    "bool_type": "has to be true or false",
    "extra_forbidden": "unknown key; remove it or mend its spelling",
    "float_type": "has to be a number",
    "int_type": "has to be a whole number",
    "missing": "is missing; add it",
    "model_type": "has to be a table of keys and values",
    "string_too_short": "is empty; give it a text",
    "string_type": "has to be a text in quotes",
    "too_short": "is empty; give it at least one entry",
    "tuple_type": "has to be a list in [ ]; arms stand under [[arm]] each",
}


class BadSpec(Exception):
    """The spec cannot be run as it is; the message is one line that names the place and the remedy."""


def _existing_file(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a file's path in quotes")
    folder = info.context["folder"] if info.context else Path()
    path = Path(folder, Path(value).expanduser())
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _known_scorer(value: str) -> str:
    if value not in SCORERS:
        raise ValueError(f"must be one of {', '.join(SCORERS)}")
    return value


InputFile = Annotated[Path, BeforeValidator(_existing_file)]
Share = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Members = Annotated[tuple[Name, ...], Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)


class DatasetTable(_Table):
    """Where the examples are, and how their answers are read and scored. Paths are absolute."""

    items: InputFile
    recorded: InputFile | None = None
    models: InputFile | None = None
    answer: Annotated[AnswerKind, Field(strict=False)]
    scorer: Annotated[str, BeforeValidator(_known_scorer)] = "exact"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-6


class LabelledFiles(_Table):
    """Labelled data that the members' weights are fitted on."""

    items: InputFile
    recorded: InputFile


class StageTable(_Table):
    members: Members
    settles: bool = False


class ArmTable(_Table):
    """One arm. ``weights`` are by hand, in member order; ``weights_from`` are fitted on labelled data."""

    name: Name
    baseline: bool = False
    members: Members | None = None
    stages: Annotated[tuple[StageTable, ...], Field(min_length=1)] | None = None
    strategy: Annotated[StrategyName, Field(strict=False)] = StrategyName.MAJORITY
    stop_at: Share | None = None
    weights: tuple[Weight, ...] | None = None
    weights_from: LabelledFiles | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @property
    def schedule(self) -> tuple[StageTable, ...]:
        return self.stages or (StageTable(members=self.members or ()),)

    @property
    def member_names(self) -> tuple[str, ...]:
        return tuple(member for stage in self.schedule for member in stage.members)

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        if (self.members is None) == (self.stages is None):
            raise ValueError("give either members or stages")
        if any(stage.settles for stage in self.schedule[:-1]):
            raise ValueError("settles may stand on the last stage alone")
        return self

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        given = (self.weights is not None) + (self.weights_from is not None)
        if given == 2:
            raise ValueError("give weights or weights_from, not both")
        if (self.strategy is StrategyName.WEIGHTED) != (given == 1):
            raise ValueError('strategy "weighted", and it alone, takes weights_from or weights')
        if self.weights is not None and len(self.weights) != len(self.member_names):
            raise ValueError(f"{len(self.weights)} weights for {len(self.member_names)} members; give one each")
        return self


class RunTable(_Table):
    """Limits of the run; no ``max_cost_usd`` is no ceiling."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 16
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    reuse: bool = True


class BenchmarkSpec(_Table):
    title: Annotated[str, Field(min_length=1, max_length=160)] = "Benchmark"
    dataset: DatasetTable
    arm: Annotated[tuple[ArmTable, ...], Field(min_length=1)]
    run: RunTable = RunTable()

    @model_validator(mode="after")
    def _check_arms(self) -> Self:
        name, count = Counter(arm.name for arm in self.arm).most_common(1)[0]
        if count > 1:
            raise ValueError(f'{count} arms are named "{name}"; give each arm a name of its own')
        baselines = sum(arm.baseline for arm in self.arm)
        if baselines != 1:
            raise ValueError(f"{baselines} arms say baseline = true; exactly one has to")
        return self


def read_spec(path: Path) -> BenchmarkSpec:
    """The spec at ``path``; its relative paths count from its own folder. Raises BadSpec."""
    loaded = _load(path)
    try:
        return BenchmarkSpec.model_validate(_tuples(loaded), context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise BadSpec(f"{path}: {_first_problem(error, loaded)}") from error


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSpec(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadSpec(f"{path}: is not valid TOML in UTF-8: {error}") from error


def _tuples(value: Any) -> Any:
    """TOML arrays as tuples, which the strict tables ask for."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


def _first_problem(error: ValidationError, loaded: dict[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    message = _REMEDIES.get(first["type"], first["msg"]).removeprefix("Value error, ")
    for theirs in ("Input should", "String should"):
        message = message.replace(theirs, "has to")
    return _place(first["loc"], loaded) + message


def _place(location: tuple[int | str, ...], loaded: dict[str, Any]) -> str:
    """Where in the file, counted as a person counts: ``arm 2 "staged", stages 1, members: ``."""
    words: list[str] = []
    for step in location:
        if not isinstance(step, int):
            words.append(step)
            continue
        words[-1] += f" {step + 1}"
        if location[:2] == ("arm", step) and len(words) == 1:
            words[-1] += _arm_name(loaded, step)
    return ", ".join(words) + ": " if words else ""


def _arm_name(loaded: dict[str, Any], index: int) -> str:
    arm = loaded["arm"][index]
    return f' "{arm["name"]}"' if isinstance(arm, dict) and isinstance(arm.get("name"), str) else ""
