"""What a list can be filtered by. A word in the URL that means nothing filters nothing."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from panels.models import LanguageModel, PanelVersion, Provider
from panels.selectors.models import ModelFilter
from panels.selectors.panels import PanelFilter
from panels.selectors.providers import ProviderFilter, hosting_providers

_LONGEST = 200
_KINDS = [(kind.value, kind.label) for kind in Provider.Kind]
_HOSTED_FIRST = [("", "All but recorded"), *_KINDS, ("all", "All kinds")]


def _search(label: str) -> forms.CharField:
    box = forms.TextInput(attrs={"type": "search", "data-search": "", "maxlength": _LONGEST})
    return forms.CharField(label=label, required=False, widget=box)


class ModelFilterForm(forms.Form):
    q = _search("Model or provider")
    provider = forms.ChoiceField(required=False)
    kind = forms.ChoiceField(required=False, choices=_HOSTED_FIRST)
    status = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any"),
            ("available", "Not retired"),
            *LanguageModel.Status.choices,
            ("deprecated", "Ending at its vendor"),
        ],
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__(initial=query.dict())
        wanted = query.get("provider", "")
        choices = [("", "Any"), *hosting_providers().values_list("slug", "name")]
        known = any(slug == wanted for slug, _ in choices)
        provider = self.fields["provider"]
        assert isinstance(provider, forms.ChoiceField)
        provider.choices = choices if known else [*choices, (wanted, wanted)]


class ProviderFilterForm(forms.Form):
    q = _search("Name or address")
    kind = forms.ChoiceField(required=False, choices=_HOSTED_FIRST)
    contract = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any"),
            ("open", "In force"),
            ("soon", "Ends soon"),
            ("ended", "Ended"),
            ("missing", "None"),
        ],
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__(initial=query.dict())


class PanelFilterForm(forms.Form):
    q = _search("Panel or model")
    strategy = forms.ChoiceField(required=False, choices=[("", "Any"), *PanelVersion.Strategy.choices])
    size = forms.ChoiceField(
        label="Members", required=False, choices=[("", "Any"), ("single", "One"), ("several", "Several")]
    )
    kind = forms.ChoiceField(label="Any member’s kind", required=False, choices=[("", "Any"), *_KINDS])

    def __init__(self, query: QueryDict) -> None:
        super().__init__(initial=query.dict())


def read_model_filter(query: QueryDict) -> ModelFilter:
    return ModelFilter(
        q=_text(query), provider=query.get("provider", ""), kind=query.get("kind", ""), status=query.get("status", "")
    )


def read_provider_filter(query: QueryDict) -> ProviderFilter:
    return ProviderFilter(q=_text(query), kind=query.get("kind", ""), contract=query.get("contract", ""))


def read_panel_filter(query: QueryDict) -> PanelFilter:
    model = query.get("model", "")
    return PanelFilter(
        q=_text(query),
        strategy=query.get("strategy", ""),
        kind=query.get("kind", ""),
        size=query.get("size", ""),
        model=int(model) if model.isascii() and model.isdigit() and len(model) <= 18 else None,
    )


def _text(query: QueryDict) -> str:
    # A null character cannot be looked for in PostgreSQL.
    return query.get("q", "").replace("\x00", "").strip()[:_LONGEST]
