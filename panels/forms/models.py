from __future__ import annotations

from django import forms

from panels.fusion.pricing import dollars_from_nanousd
from panels.models import LanguageModel, Provider
from panels.selectors.providers import hosting_providers
from panels.services.models import ModelFacts


def _number_box() -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})


class ModelForm(forms.Form):
    """Prices are dollars per million tokens. ``seated`` fixes provider and id."""

    provider = forms.ModelChoiceField(Provider.objects.none(), empty_label="Choose a provider")
    name = forms.CharField(
        label="Model id",
        max_length=200,
        help_text="The provider’s own id, sent as it is, for example openai/gpt-4o-mini.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )
    price_in = forms.DecimalField(
        label="Price in",
        required=False,
        decimal_places=9,
        widget=_number_box(),
        help_text="Dollars per million tokens sent. Leave both prices empty if they are unknown; 0 means free.",
    )
    price_out = forms.DecimalField(
        label="Price out",
        required=False,
        decimal_places=9,
        widget=_number_box(),
        help_text="Dollars per million tokens received.",
    )
    price_source = forms.CharField(
        required=False, max_length=300, help_text="Where the prices come from: a page, a contract, a date."
    )
    context_tokens = forms.IntegerField(
        label="Context limit", required=False, widget=_number_box(), help_text="Tokens, prompt and output together."
    )
    max_output_tokens = forms.IntegerField(
        label="Output limit", required=False, widget=_number_box(), help_text="Tokens the model can write at most."
    )

    def __init__(self, *args: object, seated: bool = False, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        provider = self.fields["provider"]
        assert isinstance(provider, forms.ModelChoiceField)
        provider.queryset = hosting_providers()
        for name in ("provider", "name") if seated else ():
            self.fields[name].disabled = True

    def facts(self) -> ModelFacts:
        """Of a valid form."""
        return ModelFacts(**self.cleaned_data)


def model_initial(model: LanguageModel) -> dict[str, object]:
    return {
        "provider": model.provider,
        "name": model.name,
        "price_in": _dollars(model.price_in_nanousd_per_mtok),
        "price_out": _dollars(model.price_out_nanousd_per_mtok),
        "price_source": model.price_source,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
    }


def _dollars(nanousd: int | None) -> str:
    """Without an exponent, which a small Decimal would be written with."""
    return "" if nanousd is None else f"{dollars_from_nanousd(nanousd):f}"
