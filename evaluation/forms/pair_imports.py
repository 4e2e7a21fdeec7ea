from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User

from evaluation.intake.problems import Problem
from evaluation.models import Workflow
from evaluation.selectors.review_planning import people_in
from evaluation.services.pair_imports import MOST_PAIRS, MOST_VOTES, PairPlan

_ANY_FILE = ".jsonl,.ndjson,.json,.csv,.tsv,.gz"
_FILES = ("pairs", "outputs")


def _file(label: str, help_text: str, *, required: bool) -> forms.FileField:
    box = forms.ClearableFileInput(attrs={"accept": _ANY_FILE})
    return forms.FileField(label=label, required=required, help_text=help_text, widget=box, allow_empty_file=True)


class _PeopleField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg] # not generic at run time
    widget = forms.CheckboxSelectMultiple


class PairImportForm(forms.Form):
    """A pair file and the votes that are wanted on it."""

    title = forms.CharField(max_length=160, help_text="For owners only: reviewers see the workflow and a number.")
    workflow = forms.ModelChoiceField(Workflow.objects.order_by("name"), required=False, empty_label="None")
    pairs = _file(
        "Pairs",
        "JSONL or CSV, also packed with gzip: id, prompt and, where there are any, reference, context, group; the two "
        "answers as first and second; votes as human_pairwise with raters and their labels (0 tie, 1 first, 2 second) "
        f"or a scale from -2 (first much better) to 2. At most {MOST_PAIRS:,} pairs.",
        required=True,
    )
    outputs = _file(
        "Outputs of the models",
        "Where the pairs do not hold the answers: item_id, model, text; meta.pair of a pair says who is first.",
        required=False,
    )
    scale = forms.CharField(
        required=False,
        max_length=80,
        label="Votes that count",
        help_text="The name of a scale, where raters gave several; else labels, overall or the only one.",
    )
    votes = forms.IntegerField(
        min_value=0, max_value=MOST_VOTES, initial=0, label="Further votes", help_text="0 keeps to those in the file."
    )
    reviewers = _PeopleField(User.objects.none(), required=False)
    open_queue = forms.BooleanField(required=False, label="Everybody who reviews may join")
    adjudicators = _PeopleField(User.objects.none(), required=False, help_text="They settle what reviewers dispute.")
    shows_evidence = forms.BooleanField(required=False, initial=True, label="Reviewers may open the evidence")
    shows_reference = forms.BooleanField(required=False, label="Reviewers may open the reference answer")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, groups in (("reviewers", "reviewer"), ("adjudicators", "adjudicator")):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = people_in(groups, "product manager")

    def clean(self) -> dict[str, Any]:
        for name in _FILES:
            upload = self.cleaned_data.get(name)
            if upload and upload.size > settings.MAX_UPLOAD_BYTES:
                most = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
                self.add_error(name, f"{upload.name} is larger than {most} MB. Pack it with gzip or split it.")
        return self.cleaned_data

    def plan(self) -> PairPlan:
        """Of a valid form."""
        cleaned = {name: value for name, value in self.cleaned_data.items() if name not in _FILES}
        reviewers, adjudicators = (tuple(cleaned.pop(name)) for name in ("reviewers", "adjudicators"))
        return PairPlan(**cleaned, reviewers=reviewers, adjudicators=adjudicators)

    def add_file_problems(self, problems: Iterable[Problem]) -> None:
        """What is wrong with a file, at its own field."""
        outputs = self.cleaned_data.get("outputs")
        for problem in problems:
            self.add_error("outputs" if outputs and problem.file == outputs.name else "pairs", str(problem))

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        for field, message in problems:
            self.add_error(field, message)
