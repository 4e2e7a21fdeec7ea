from __future__ import annotations

from datetime import date

from django import forms

from panels.models import YesNoUnknown
from panels.services.contracts import ContractTerms


def _day_box() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _known(label: str, help_text: str) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=YesNoUnknown.choices, initial=YesNoUnknown.UNKNOWN, help_text=help_text
    )


class ContractForm(forms.Form):
    """What somebody read in an agreement. What is unknown counts as no."""

    has_dpa = _known("Data processing agreement (DPA)", "Personal data needs one.")
    has_baa = _known("Business associate agreement (BAA)", "Health data needs one.")
    trains_on_data = _known("Trains on what it is sent", "Workflows may forbid it, and do unless told otherwise.")
    regions = forms.CharField(
        required=False,
        max_length=300,
        help_text="Where it may process data, as codes with commas between: eu, us-east-1. eu covers eu-west-1 too.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    retention_days = forms.IntegerField(
        label="Keeps data for",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text="Days; 0 if nothing is kept. Empty if unknown.",
    )
    valid_from = forms.DateField(widget=_day_box())
    valid_until = forms.DateField(
        widget=_day_box(),
        help_text="The last day. Of an open-ended agreement, the day by which it has to be checked again. To end a "
        "contract early, record it anew with an earlier last day.",
    )
    evidence = forms.CharField(
        max_length=300,
        help_text="Address of the signed agreement or the terms.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    checked_on = forms.DateField(widget=_day_box(), help_text="When somebody last read it.")
    owner = forms.CharField(max_length=120, help_text="The role or team that answers for it, not a person’s name.")

    def terms(self) -> ContractTerms:
        """Of a valid form."""
        data = dict(self.cleaned_data)
        regions = [part.strip() for part in data.pop("regions").split(",") if part.strip()]
        return ContractTerms(**data, regions=regions)


def contract_initial(today: date) -> dict[str, object]:
    return {"valid_from": today, "checked_on": today}
