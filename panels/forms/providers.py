from __future__ import annotations

from django import forms
from django.http import QueryDict

from panels.models import Provider
from panels.services.providers import HOSTING_KINDS, looks_like_key


class ProviderForm(forms.Form):
    """``data`` is never shown again where it holds a key by mistake."""

    name = forms.CharField(max_length=120, help_text="For example OpenRouter.")
    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in HOSTING_KINDS],
        help_text="Figures of simulated providers are labelled as simulated on every page.",
    )
    base_url = forms.CharField(
        label="Base URL",
        max_length=300,
        help_text="For example https://openrouter.ai/api/v1, or https://api.anthropic.com for Anthropic messages. "
        "Plain http only for this machine (localhost).",
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    api_key_env = forms.CharField(
        label="Key variable",
        required=False,
        max_length=80,
        help_text="Name of the environment variable that holds the key, for example OPENROUTER_API_KEY. "
        "Never the key itself. Empty if the provider asks for none.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )

    def forget_key(self) -> None:
        """A key that was entered instead of a name does not go back into the page."""
        if looks_like_key(self.data.get("api_key_env", "")):
            data = QueryDict(mutable=True)
            data.update(self.data)
            data["api_key_env"] = ""
            self.data = data


def provider_initial(provider: Provider) -> dict[str, str]:
    return {
        "name": provider.name,
        "kind": provider.kind,
        "base_url": provider.base_url,
        "api_key_env": provider.api_key_env,
    }
