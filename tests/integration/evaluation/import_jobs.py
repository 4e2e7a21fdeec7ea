"""Imports for tests: five items with two models' outputs, as files at hand or as an upload."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.columns import Role
from evaluation.intake.files import SourceFile
from evaluation.models import DatasetImport
from evaluation.services.imports import import_files, queue_import, receive_upload

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ITEMS = [
    {"id": f"i{number}", "prompt": f"Question {number}?", "reference": "B", "choices": ["A", "B"]}
    for number in range(5)
]
OUTPUTS = [
    {"item_id": f"i{number}", "model": model, "text": "B", "predicted": "B", "correct": True, "prompt_tokens": 7}
    for number in range(5)
    for model in ("small", "large")
]
PRICES = [{"model": "small", "price_in_per_mtok": 0.1, "price_out_per_mtok": 0.4, "price_source": "a list"}]


def now() -> datetime:
    return NOW


def lines_of(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write_files(folder: Path) -> DatasetFiles:
    (folder / "items.jsonl").write_bytes(lines_of(ITEMS))
    (folder / "outputs.jsonl").write_bytes(lines_of(OUTPUTS))
    (folder / "models.json").write_bytes(json.dumps(PRICES).encode())

    def file(name):
        return SourceFile(path=folder / name, name=name)

    return DatasetFiles(items=file("items.jsonl"), recorded=file("outputs.jsonl"), models=file("models.json"))


def bring_in(files: DatasetFiles, *, name: str = "Quiz", **wanted):
    return import_files(name=name, files=files, choices=ReadingChoices(**wanted), by=None, clock=now)


def upload(**contents: bytes) -> DatasetImport:
    uploads = {Role(role): SimpleUploadedFile(f"{role}.jsonl", content) for role, content in contents.items()}
    return receive_upload(name="Quiz", workflow=None, uploads=uploads, by=None, now=NOW)


def queued(**contents: bytes) -> DatasetImport:
    job = upload(**contents)
    queue_import(job=job, choices=ReadingChoices(), mappings={}, now=NOW)
    return job


def folder_of(job: DatasetImport, settings) -> Path:
    return Path(settings.DATA_DIR) / job.folder
