from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from evaluation.intake.checking import DatasetFiles, ReadingChoices
from evaluation.intake.files import SourceFile
from evaluation.models import DatasetVersion, Workflow
from evaluation.services.imports import ImportedDataset, ImportRejected, import_files
from panels.fusion.types import AnswerKind


class Command(BaseCommand):
    help = "Import a dataset from files. What is wrong is listed as file:line field: message, and nothing is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="of the dataset; one that exists gets a new version")
        parser.add_argument("--items", required=True, type=Path, help="examples: JSONL or CSV, plain or .gz")
        parser.add_argument("--recorded", type=Path, help="recorded outputs of models: JSONL or CSV, plain or .gz")
        parser.add_argument("--models", type=Path, help="list prices of the models: JSON or CSV")
        parser.add_argument("--answer", choices=[kind.value for kind in AnswerKind], help="answer kind; else inferred")
        parser.add_argument("--scorer", choices=DatasetVersion.Scorer.values, help="else the answer kind's own")
        parser.add_argument("--tolerance", type=float, default=1e-6, help="relative, for numbers (default 1e-6)")
        parser.add_argument("--workflow", metavar="SLUG", help="the workflow that the dataset belongs to")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            imported = import_files(
                name=options["name"],
                files=_files(options),
                choices=_choices(options),
                workflow=_workflow(options["workflow"]),
                by=None,
                clock=timezone.now,
            )
        except ImportRejected as error:
            raise CommandError(str(error)) from error
        for line in _summary(imported):
            self.stdout.write(line)


def _files(options: dict[str, Any]) -> DatasetFiles:
    def source(path: Path | None) -> SourceFile | None:
        return None if path is None else SourceFile(path=path, name=str(path))

    items = options["items"]
    return DatasetFiles(
        items=SourceFile(path=items, name=str(items)),
        recorded=source(options["recorded"]),
        models=source(options["models"]),
    )


def _choices(options: dict[str, Any]) -> ReadingChoices:
    tolerance = options["tolerance"]
    if not 0 <= tolerance < float("inf"):
        raise CommandError("--tolerance: write a finite number of at least 0")
    kind = AnswerKind(options["answer"]) if options["answer"] else None
    return ReadingChoices(kind=kind, scorer=options["scorer"], tolerance=tolerance)


def _workflow(slug: str | None) -> Workflow | None:
    if slug is None:
        return None
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is None:
        known = ", ".join(Workflow.objects.order_by("slug").values_list("slug", flat=True)) or "there is none yet"
        raise CommandError(f"--workflow: there is no workflow “{slug}”; known: {known}")
    return workflow


def _summary(imported: ImportedDataset) -> list[str]:
    version = imported.version
    counts = f"{version.example_count:,} examples, {version.output_count:,} recorded outputs"
    done = "was there already, reused" if imported.reused else "imported"
    lines = [f"{version.dataset.name} v{version.number} {done}: {counts}"]
    if imported.kind_reason:
        lines.append(f"answer kind {version.answer_kind} (inferred: {imported.kind_reason})")
    if not imported.scorer_told:
        lines.append(f"scorer {version.scorer} (the default)")
    return lines
