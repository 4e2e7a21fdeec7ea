from __future__ import annotations

from datetime import datetime, time, timedelta

from django import forms
from django.utils import timezone

from evaluation.models import Workflow
from evaluation.services.api_keys import Problems

_OVERLAPS = [("0", "At once"), ("1", "In an hour"), ("24", "In a day"), ("168", "In a week")]


class ApiKeyForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="The program that uses it, for example Sales desk.")
    workflows = forms.ModelMultipleChoiceField(
        queryset=Workflow.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text="It lets in for these alone.",
        error_messages={"required": "Choose at least one workflow: a key without any lets nobody in."},
    )
    last_day = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Until the end of this day. Empty: until it is revoked.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # passed on as they came
        field = self.fields["workflows"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = Workflow.objects.order_by("name")

    @property
    def expires_at(self) -> datetime | None:
        day = self.cleaned_data["last_day"]
        return None if day is None else timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))

    def add_problems(self, problems: Problems) -> None:
        for field, message in problems:
            self.add_error("last_day" if field == "expires_at" else field, message)


class RotateForm(forms.Form):
    """When the key that is replaced ends."""

    overlap = forms.ChoiceField(choices=_OVERLAPS, label="The old key ends")

    @property
    def hours(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))
