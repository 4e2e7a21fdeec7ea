from __future__ import annotations

import httpx
import pytest

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.listing import ListedModel, ListingFailed, list_models
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.pricing import Price

OPENROUTER = {
    "data": [
        {
            "id": "house/large",
            "context_length": 128_000,
            "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
        },
        {"id": "house/router", "context_length": 0, "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "house/odd", "pricing": {"prompt": "free", "completion": None}},
        {"id": "house/bare"},
        {"id": ""},
        "not a model",
    ]
}


def _listed(answer: httpx.Response, *, api_key: str | None = "secret") -> tuple[ListedModel, ...]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    transport = httpx.MockTransport(handle)
    models = list_models(
        wire=OpenAIClient.wire, base_url="https://provider.test/v1/", api_key=api_key, transport=transport
    )
    assert str(seen[0].url) == "https://provider.test/v1/models"
    assert seen[0].headers.get("authorization") == (f"Bearer {api_key}" if api_key else None)
    return models


def test_reads_ids_prices_and_limits_and_leaves_what_is_not_said_unknown() -> None:
    large, router, odd, bare = _listed(httpx.Response(200, json=OPENROUTER))
    assert large == ListedModel(
        name="house/large",
        price=Price(in_nanousd_per_mtok=2_500_000_000, out_nanousd_per_mtok=10_000_000_000),
        context_tokens=128_000,
    )
    assert [model.price for model in (router, odd, bare)] == [None, None, None]
    assert router.context_tokens is None


def test_asks_without_a_key_where_there_is_none() -> None:
    assert _listed(httpx.Response(200, json={"data": []}), api_key=None) == ()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": {"message": "no"}}),
        httpx.Response(200, text="<html>welcome</html>"),
        httpx.Response(200, json={"models": []}),
        httpx.Response(200, json=[1]),
    ],
)
def test_an_answer_that_is_no_list_is_told(answer: httpx.Response) -> None:
    with pytest.raises(ListingFailed, match=r"provider\.test"):
        _listed(answer)


def test_a_provider_that_cannot_be_reached_is_told() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(ListingFailed, match="connection refused"):
        list_models(
            wire=OpenAIClient.wire,
            base_url="https://provider.test/v1",
            api_key=None,
            transport=httpx.MockTransport(refuse),
        )


def test_asks_for_all_models_at_once_where_a_page_is_short_and_knows_no_price() -> None:
    listed = {"data": [{"type": "model", "id": "house-4", "display_name": "House 4"}], "has_more": False}

    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://provider.test/v1/models?limit=1000"
        assert request.headers["x-api-key"] == "secret"
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in request.headers
        return httpx.Response(200, json=listed)

    models = list_models(
        wire=AnthropicClient.wire,
        base_url="https://provider.test",
        api_key="secret",
        transport=httpx.MockTransport(answer),
    )
    assert models == (ListedModel(name="house-4", price=None, context_tokens=None),)
