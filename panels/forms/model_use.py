from __future__ import annotations

from django import forms

from panels.models import DataClass, LanguageModel, SeatRole
from panels.services.model_use import ModelUse


class ModelUseForm(forms.Form):
    """What a model may be used for. A model that is retired keeps that state here."""

    status = forms.ChoiceField(
        choices=[choice for choice in LanguageModel.Status.choices if choice[0] != LanguageModel.Status.RETIRED],
        help_text="Nothing is sent to a proposed model. One on trial answers runs, an approved one live requests too. "
        "A restricted one stays where it sits and takes no new seat.",
    )
    licence = forms.CharField(
        required=False, max_length=120, help_text="For example Commercial terms, Apache-2.0, Llama 3 Community."
    )
    output_use = forms.ChoiceField(
        label="Outputs may be used", choices=LanguageModel.OutputUse.choices, help_text="Live requests need a product."
    )
    output_terms = forms.CharField(
        required=False, max_length=300, help_text="Where the terms on outputs stand, or what they say in short."
    )
    allowed_roles = forms.MultipleChoiceField(
        required=False, choices=SeatRole.choices, widget=forms.CheckboxSelectMultiple
    )
    allowed_data_classes = forms.MultipleChoiceField(
        label="Allowed data", required=False, choices=DataClass.choices, widget=forms.CheckboxSelectMultiple
    )
    pinned_version = forms.CharField(
        required=False,
        max_length=200,
        help_text="What the provider has to say it is. A reply that names another version is flagged.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    deprecated_on = forms.DateField(
        label="Vendor’s last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    replaced_by = forms.ModelChoiceField(LanguageModel.objects.none(), required=False, empty_label="Nothing yet")

    def __init__(self, *args: object, model: LanguageModel, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        others = LanguageModel.objects.available().filter(provider=model.provider_id).exclude(pk=model.pk)
        replacing = self.fields["replaced_by"]
        assert isinstance(replacing, forms.ModelChoiceField)
        replacing.queryset = others.order_by("name", "pk")
        if model.retired_at is not None:
            status = self.fields["status"]
            assert isinstance(status, forms.ChoiceField)
            status.choices = [(LanguageModel.Status.RETIRED, LanguageModel.Status.RETIRED.label)]

    def use(self) -> ModelUse:
        """Of a valid form."""
        return ModelUse(**self.cleaned_data)


def model_use_initial(model: LanguageModel) -> dict[str, object]:
    return {
        "status": model.status,
        "licence": model.licence,
        "output_use": model.output_use,
        "output_terms": model.output_terms,
        "allowed_roles": model.allowed_roles,
        "allowed_data_classes": model.allowed_data_classes,
        "pinned_version": model.pinned_version,
        "deprecated_on": model.deprecated_on,
        "replaced_by": model.replaced_by,
    }
