from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evaluation.sample.real_providers import known_providers, offer_real_providers
from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.listing import ListedModel, ListingFailed
from panels.models import LanguageModel, Provider
from panels.services import listings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_provider_is_known_where_its_key_is_set():
    environ = {"OPENROUTER_API_KEY": "a", "OPENAI_API_KEY": "b", "ANTHROPIC_API_KEY": "c"}
    assert [(real.slug, real.kind, real.base_url) for real in known_providers(environ)] == [
        ("openrouter", Provider.Kind.OPENAI, "https://openrouter.ai/api/v1"),
        ("openai", Provider.Kind.OPENAI, "https://api.openai.com/v1"),
        ("anthropic", Provider.Kind.ANTHROPIC, "https://api.anthropic.com"),
    ]
    assert list(known_providers({"ANTHROPIC_API_KEY": ""})) == []


@pytest.mark.django_db
def test_a_list_without_prices_leaves_them_unknown(monkeypatch):
    asked = []

    def list_models(**settings):
        asked.append(settings)
        return (ListedModel(name="house-4", price=None, context_tokens=None),)

    monkeypatch.setattr(listings, "list_models", list_models)
    environ = {"ANTHROPIC_API_KEY": "secret"}
    for new in (1, 0):
        (line,) = offer_real_providers(environ=environ, clock=lambda: NOW)
        assert line == f"Anthropic is offered; {new} of its models are new in the inventory."
    assert asked[0] == {"wire": AnthropicClient.wire, "base_url": "https://api.anthropic.com", "api_key": "secret"}
    model = LanguageModel.objects.select_related("provider").get()
    assert (model.name, model.provider.kind, model.provider.api_key_env) == (
        "house-4",
        Provider.Kind.ANTHROPIC,
        "ANTHROPIC_API_KEY",
    )
    assert (model.price_in_nanousd_per_mtok, model.price_source) == (None, "")


@pytest.mark.django_db
def test_a_provider_that_does_not_list_is_offered_without_models(monkeypatch):
    def list_models(**settings):
        raise ListingFailed("no answer")

    monkeypatch.setattr(listings, "list_models", list_models)
    (line,) = offer_real_providers(environ={"ANTHROPIC_API_KEY": "secret"}, clock=lambda: NOW)
    assert line == "Anthropic is offered without models: no answer. Add them on the Models page."
    assert Provider.objects.get().slug == "anthropic"


@pytest.mark.django_db
def test_a_server_in_a_private_network_is_named_and_stops_nothing(monkeypatch):
    monkeypatch.setattr(listings, "list_models", lambda **_: ())
    environ = {"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "https://10.0.0.1/v1", "ANTHROPIC_API_KEY": "b"}
    refused, offered = offer_real_providers(environ=environ, clock=lambda: NOW)
    assert "OpenAI-compatible server is not offered" in refused
    assert "QUORUM_PRIVATE_PROVIDERS" in refused
    assert offered.startswith("Anthropic is offered")
