from __future__ import annotations

import json

import httpx

from panels.fusion.clients.openai import request_body
from panels.fusion.types import FailureKind, Message, ModelRequest, Reply, Sampling
from tests.unit.panels.fusion.clients.mock_provider import KEY, OPENAI, REQUEST, fail, open_client


def test_the_body_is_canonical_and_always_bounds_the_output():
    assert request_body(REQUEST) == (
        b'{"max_tokens":9,"messages":[{"content":"Capital of France?","role":"user"}],"model":"maker/model"}'
    )


def test_the_body_carries_what_is_set_and_asks_for_usage_of_a_stream():
    sampling = Sampling(max_tokens=5, temperature=0.0, top_p=0.5, seed=7)
    request = ModelRequest(model="m", messages=(), sampling=sampling, item_id="not for the wire", twin=3)
    assert json.loads(request_body(request, stream=True)) == {
        "model": "m",
        "messages": [],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_body_is_utf8_and_survives_text_that_is_not():
    request = ModelRequest(model="m", messages=(Message(role="user", content="é\ud800"),), sampling=Sampling())
    assert "é?" in request_body(request).decode()


async def test_a_reply_comes_back_and_the_request_was_as_asked():
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=OPENAI.completion)

    async with open_client(OPENAI, handler, headers=[("X-Title", "Quorum")]) as opened:
        reply = await opened.complete(REQUEST)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.provider_model, reply.usage.reported_cost_nanousd) == (
        "Paris",
        "maker/model-2026",
        140_000,
    )
    assert reply.latency_s is not None
    assert reply.latency_s > 0
    assert reply.first_token_s is None
    (request,) = seen
    assert str(request.url) == "https://provider.test/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-title"] == "Quorum"
    assert request.headers["host"] == "provider.test"
    assert request.headers["content-length"] == str(len(request_body(REQUEST)))
    assert request.content == request_body(REQUEST)


async def test_without_a_key_no_authorization_is_sent():
    def handler(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        return httpx.Response(200, json=OPENAI.completion)

    async with open_client(OPENAI, handler, api_key=None) as opened:
        assert isinstance(await opened.complete(REQUEST), Reply)


async def test_status_200_with_an_error_body_is_a_failure():
    failure = await fail(OPENAI, httpx.Response(200, json={"error": {"message": "busy", "code": 429}}))
    assert (failure.kind, failure.status_code) == (FailureKind.RATE_LIMITED, 429)
