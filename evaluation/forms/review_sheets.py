from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django import forms

from evaluation.services.review_sheets import MOST_CHIPS, Chip, Sheet

_ADDRESS = {"token", "revision", "revealed"}


class SheetForm(forms.Form):
    """What the review page sends for one item; what may stand in it is the sheet's own business."""

    token = forms.UUIDField()
    revision = forms.IntegerField(min_value=1, required=False)
    revealed = forms.BooleanField(required=False)
    facts_a = forms.IntegerField(required=False)
    facts_b = forms.IntegerField(required=False)
    preference = forms.IntegerField(required=False)
    unsure = forms.BooleanField(required=False)
    flagged = forms.BooleanField(required=False)
    note = forms.CharField(required=False)
    chips = forms.JSONField(required=False)
    seconds = forms.FloatField(required=False)

    def clean_chips(self) -> tuple[Chip, ...]:
        found = self.cleaned_data["chips"] or []
        if not isinstance(found, list) or len(found) > MOST_CHIPS:
            raise forms.ValidationError(f"Mark at most {MOST_CHIPS} sentences.")
        return tuple(_chip(one) for one in found)

    def clean_seconds(self) -> float | None:
        seconds: float | None = self.cleaned_data["seconds"]
        return seconds if seconds is not None and math.isfinite(seconds) else None

    @property
    def token_value(self) -> UUID:
        token: UUID = self.cleaned_data["token"]
        return token

    @property
    def is_revision(self) -> bool:
        return (self.cleaned_data["revision"] or 1) > 1

    def sheet(self) -> Sheet:
        """Of a valid form."""
        cleaned = {name: value for name, value in self.cleaned_data.items() if name not in _ADDRESS}
        return Sheet(**cleaned)

    def first_problem(self) -> str:
        """Of a form that is not valid."""
        return next(f"{name}: {messages[0]}" for name, messages in self.errors.items())


def _chip(found: Any) -> Chip:
    try:
        return Chip(
            side=str(found["side"]), sentence=int(found["sentence"]), text=str(found["text"]), kind=str(found["kind"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise forms.ValidationError("A mark names its side, its sentence and the kind of error.") from error
