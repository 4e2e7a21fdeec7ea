from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.files import File
from django.forms import BoundField

from evaluation.intake.checking import ReadingChoices
from evaluation.intake.columns import FieldColumn, Role
from evaluation.intake.preview import FilePreview
from evaluation.intake.problems import Problem
from evaluation.models import DatasetVersion, Workflow
from panels.fusion.types import AnswerKind

_ANY_FILE = ".jsonl,.ndjson,.json,.csv,.tsv,.gz"


def _file(label: str, help_text: str, *, required: bool = False) -> forms.FileField:
    box = forms.ClearableFileInput(attrs={"accept": _ANY_FILE})
    return forms.FileField(
        label=label, required=required, help_text=help_text, widget=box, allow_empty_file=True, max_length=200
    )


class UploadForm(forms.Form):
    """The files of a new dataset or of a new version of one."""

    name = forms.CharField(
        max_length=120, help_text="A name that exists gets a new version; what was imported before stays."
    )
    workflow = forms.ModelChoiceField(
        Workflow.objects.order_by("name"), required=False, empty_label="None", to_field_name="slug"
    )
    items = _file(
        "Examples",
        "JSONL or CSV, also packed with gzip: id, prompt and, where there is one, reference, references, choices, "
        "context, group. For answers in JSON the reference is an object, and schema may hold a JSON schema that it and "
        "every answer have to satisfy. Tests of promptfoo (JSON, CSV) and samples of OpenAI Evals are read too.",
        required=True,
    )
    recorded = _file(
        "Recorded outputs",
        "What models answered: item_id, model, text and, where known, predicted, correct, prompt_tokens, "
        "completion_tokens, latency_s.",
    )
    models = _file(
        "Prices of the recorded models", "model, price_in_per_mtok, price_out_per_mtok: dollars per million tokens."
    )

    def clean(self) -> dict[str, Any]:
        for role, upload in self._uploads():
            if (upload.size or 0) > settings.MAX_UPLOAD_BYTES:
                most = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
                self.add_error(role, f"{upload.name} is larger than {most} MB. Pack it with gzip or split it.")
        return self.cleaned_data

    def uploads(self) -> dict[Role, File[bytes]]:
        """Of a valid form."""
        return {Role(role): upload for role, upload in self._uploads()}

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Shows what is wrong with a file at its own field."""
        names = {upload.name: role for role, upload in self._uploads()}
        for problem in problems:
            self.add_error(names.get(problem.file), str(problem))

    def _uploads(self) -> list[tuple[str, File[bytes]]]:
        found = ((role.value, self.cleaned_data.get(role.value)) for role in Role)
        return [(role, upload) for role, upload in found if upload]


class ImportChoicesForm(forms.Form):
    """How the files are read: answer kind, scorer, and for CSV the column of each field."""

    kind = forms.ChoiceField(
        label="Answer kind", required=False, choices=[("", "Infer from the examples"), *DatasetVersion.Kind.choices]
    )
    scorer = forms.ChoiceField(required=False, choices=[("", "The answer kind’s own"), *DatasetVersion.Scorer.choices])
    tolerance = forms.FloatField(
        min_value=0,
        initial=1e-6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Relative, for numbers: 0.01 accepts 99 to 101 for 100.",
    )

    def __init__(self, previews: Sequence[FilePreview], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self._previews = [preview for preview in previews if preview.fields]
        for preview in self._previews:
            for known in preview.fields:
                self.fields[_name(preview, known)] = _column_choice(preview, known)

    def clean_tolerance(self) -> float:
        tolerance: float = self.cleaned_data["tolerance"]
        if not math.isfinite(tolerance):
            raise forms.ValidationError("Write a finite number.")
        return tolerance

    def own_fields(self) -> Iterator[BoundField]:
        return (self[name] for name in ("kind", "scorer", "tolerance"))

    def mapping_fields(self) -> list[tuple[FilePreview, list[BoundField]]]:
        """The column choices of each CSV file."""
        return [(preview, [self[_name(preview, known)] for known in preview.fields]) for preview in self._previews]

    def choices(self) -> ReadingChoices:
        """Of a valid form."""
        kind = self.cleaned_data["kind"]
        return ReadingChoices(
            kind=AnswerKind(kind) if kind else None,
            scorer=self.cleaned_data["scorer"] or None,
            tolerance=self.cleaned_data["tolerance"],
        )

    def mappings(self) -> dict[Role, dict[str, str]]:
        """Of a valid form."""
        return {
            preview.role: {
                known.field: column for known in preview.fields if (column := self.cleaned_data[_name(preview, known)])
            }
            for preview in self._previews
        }


def _name(preview: FilePreview, known: FieldColumn) -> str:
    return f"{preview.role.value}-{known.field}"


def _column_choice(preview: FilePreview, known: FieldColumn) -> forms.ChoiceField:
    columns = [(column, column) for column in preview.columns]
    empty = "Choose a column" if known.required else "None"
    return forms.ChoiceField(
        label=known.label,
        required=known.required,
        choices=[("", empty), *columns],
        initial=preview.mapping.get(known.field, ""),
        error_messages={"required": f"Choose the column that holds the {known.label.lower()}."},
    )
