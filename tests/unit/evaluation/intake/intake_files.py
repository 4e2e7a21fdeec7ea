"""Files for the intake's tests, and the reading of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from evaluation.intake.checking import DatasetFiles, ReadingChoices, check_dataset
from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.limits import DEFAULT_LIMITS, Limits
from evaluation.intake.problems import Problem, ProblemList

ITEM = {"id": "a", "prompt": "Which one?", "reference": "B", "choices": ["A", "B"]}
OUTPUT = {"item_id": "a", "model": "small", "text": "B"}


def lines_of(*rows: object) -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


def source(folder: Path, name: str, content: bytes, **mapping: str) -> SourceFile:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return SourceFile(path=path, name=name, mapping=mapping)


def check(
    items: SourceFile,
    recorded: SourceFile | None = None,
    models: SourceFile | None = None,
    *,
    choices: ReadingChoices | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Any, list[Problem]]:
    """What was found (a CheckedDataset, None if something is wrong) and what is wrong."""
    intake = Intake(limits=limits, problems=ProblemList(limits.problems))
    files = DatasetFiles(items=items, recorded=recorded, models=models)
    checked = check_dataset(files, choices or ReadingChoices(), intake)
    return checked, list(intake.problems)
