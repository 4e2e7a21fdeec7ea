from __future__ import annotations

from django import forms
from django.http import QueryDict

from panels.models import ChangeDecision, ChangeRequest, Panel
from panels.selectors.change_requests import ChangeFilter

_LONGEST = 200
_STATES = [("", "Any"), ("open", "Open"), *ChangeRequest.State.choices]


class ChangeFilterForm(forms.Form):
    q = forms.CharField(
        label="Panel, summary or author",
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "data-search": "", "maxlength": _LONGEST}),
    )
    state = forms.ChoiceField(required=False, choices=_STATES)
    tier = forms.ChoiceField(label="Risk", required=False, choices=[("", "Any"), *ChangeRequest.Tier.choices])
    panel = forms.ChoiceField(required=False)

    def __init__(self, query: QueryDict) -> None:
        super().__init__(initial=query.dict())
        named = Panel.objects.filter(change_requests__isnull=False).distinct().order_by("name")
        panel = self.fields["panel"]
        assert isinstance(panel, forms.ChoiceField)
        panel.choices = [("", "Any"), *named.values_list("slug", "name")]


class DecisionForm(forms.Form):
    """A decision on the request as it was shown, which ``signed_hash`` names."""

    verdict = forms.ChoiceField(choices=ChangeDecision.Verdict.choices)
    reason = forms.CharField(
        label="Reason, kept in the record", required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    signed_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)


class ScheduleForm(forms.Form):
    at = forms.DateTimeField(label="Apply at", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))


class RollBackForm(forms.Form):
    reason = forms.CharField(max_length=300)


def read_change_filter(query: QueryDict) -> ChangeFilter:
    tier = query.get("tier", "")
    return ChangeFilter(
        q=query.get("q", "").replace("\x00", "").strip()[:_LONGEST],
        state=query.get("state", ""),
        tier=int(tier) if tier in {"0", "1", "2", "3"} else None,
        panel=query.get("panel", ""),
    )
