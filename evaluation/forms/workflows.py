from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from evaluation.models import Workflow
from evaluation.selectors.sensitive_fields import FieldUse
from evaluation.services.workflows import MOST_DAYS, WorkflowSettings

_HOUR_MS = 3_600_000
_PERCENT_OF = {"target_accuracy": "accuracy_percent", "target_cost_change": "cost_percent"}
_BETWEEN_NAMES = re.compile(r"[,;\n]")


class WorkflowForm(forms.Form):
    """A workflow's targets and how its data is treated; percentages here, shares everywhere else."""

    data_class = forms.ChoiceField(
        choices=Workflow.DataClass.choices, help_text="What the prompts of this workflow hold at most."
    )
    allowed_regions = forms.CharField(
        required=False,
        max_length=300,
        help_text="Where its data may be processed, as codes with commas between: eu, us-east-1. Empty: anywhere.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    max_retention_days = forms.IntegerField(
        min_value=0,
        max_value=MOST_DAYS,
        required=False,
        label="A provider may keep it for",
        help_text="0: not at all. Empty: as long as it likes.",
    )
    forbids_training = forms.BooleanField(
        required=False, label="No provider may train on it", help_text="Unknown counts as training."
    )
    accuracy_percent = forms.FloatField(min_value=0, max_value=100, required=False, label="Accuracy, at least")
    target_p95_ms = forms.IntegerField(min_value=1, max_value=_HOUR_MS, required=False, label="Latency P95, under")
    cost_percent = forms.FloatField(
        min_value=-100,
        max_value=1_000,
        required=False,
        label="Cost per request, change",
        help_text="Against the baseline: −25 is a quarter less.",
    )
    masks = forms.BooleanField(
        required=False,
        label="Mask prompts before they leave",
        help_text="Personal data becomes placeholders. Only members marked in-house see the prompt as it is.",
    )
    sensitive_fields = forms.MultipleChoiceField(
        required=False, label="Sensitive fields", widget=forms.CheckboxSelectMultiple
    )
    other_fields = forms.CharField(
        required=False,
        max_length=4_000,
        label="Other fields",
        help_text="Names of fields that no example has yet, with commas between them.",
    )

    def __init__(self, *args: Any, uses: Iterable[FieldUse], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.uses = tuple(uses)
        field = self.fields["sensitive_fields"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(use.name, use.words) for use in self.uses]

    @classmethod
    def filled_from(cls, workflow: Workflow, *, uses: Sequence[FieldUse]) -> WorkflowForm:
        known = {use.name for use in uses}
        return cls(
            uses=uses,
            initial={
                "data_class": workflow.data_class,
                "allowed_regions": ", ".join(workflow.allowed_regions),
                "max_retention_days": workflow.max_retention_days,
                "forbids_training": workflow.forbids_training,
                "accuracy_percent": _percent(workflow.target_accuracy),
                "target_p95_ms": workflow.target_p95_ms,
                "cost_percent": _percent(workflow.target_cost_change),
                "masks": workflow.masks,
                "sensitive_fields": [name for name in workflow.sensitive_fields if name in known],
                "other_fields": ", ".join(name for name in workflow.sensitive_fields if name not in known),
            },
        )

    def settings(self) -> WorkflowSettings:
        """Of a valid form."""
        cleaned = self.cleaned_data
        others = (name.strip() for name in _BETWEEN_NAMES.split(cleaned["other_fields"]))
        names = dict.fromkeys([*cleaned["sensitive_fields"], *filter(None, others)])
        return WorkflowSettings(
            data_class=cleaned["data_class"],
            allowed_regions=tuple(filter(None, map(str.strip, cleaned["allowed_regions"].split(",")))),
            max_retention_days=cleaned["max_retention_days"],
            forbids_training=cleaned["forbids_training"],
            target_accuracy=_share(cleaned["accuracy_percent"]),
            target_p95_ms=cleaned["target_p95_ms"],
            target_cost_change=_share(cleaned["cost_percent"]),
            masks=cleaned["masks"],
            sensitive_fields=tuple(names),
        )

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Put what the domain refused beside its field."""
        for field, message in problems:
            self.add_error(_PERCENT_OF.get(field, "other_fields" if field == "sensitive_fields" else field), message)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 6)


def _share(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 8)
