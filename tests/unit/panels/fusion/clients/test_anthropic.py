from __future__ import annotations

import json

import httpx
import pytest

from panels.fusion.clients.anthropic import request_body
from panels.fusion.types import FailureKind, Message, ModelRequest, Reply, Sampling, Usage
from tests.unit.panels.fusion.clients.mock_provider import ANTHROPIC, KEY, REQUEST, ask, events, fail, open_client


def test_the_body_is_canonical_and_always_bounds_the_output():
    assert request_body(REQUEST) == (
        b'{"max_tokens":9,"messages":[{"content":"Capital of France?","role":"user"}],"model":"maker/model"}'
    )


def test_the_body_carries_what_is_set_with_the_system_prompt_outside_and_without_a_seed():
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi"),
        Message(role="system", content="Be kind."),
        Message(role="assistant", content="Hello"),
        Message(role="user", content="Bye"),
    )
    sampling = Sampling(max_tokens=5, temperature=0.0, top_p=0.5, seed=7)
    request = ModelRequest(model="m", messages=messages, sampling=sampling, item_id="not for the wire", twin=3)
    assert json.loads(request_body(request, stream=True)) == {
        "model": "m",
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stream": True,
    }


@pytest.mark.parametrize("base_url", ["https://provider.test", "https://provider.test/", " https://provider.test/v1/ "])
async def test_the_request_is_as_asked_wherever_the_version_was_written(base_url):
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANTHROPIC.completion)

    async with open_client(ANTHROPIC, handler, base_url=base_url, headers=[("X-Title", "Quorum")]) as opened:
        assert isinstance(await opened.complete(REQUEST), Reply)
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "https://provider.test/v1/messages")
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in request.headers
    assert request.headers["x-title"] == "Quorum"
    assert request.content == request_body(REQUEST)


async def test_without_a_key_none_is_sent():
    def handler(request: httpx.Request) -> httpx.Response:
        assert "x-api-key" not in request.headers
        assert request.headers["anthropic-version"]
        return httpx.Response(200, json=ANTHROPIC.completion)

    async with open_client(ANTHROPIC, handler, api_key=None) as opened:
        assert isinstance(await opened.complete(REQUEST), Reply)


@pytest.mark.parametrize(
    ("status", "type", "message", "kind"),
    [
        (400, "invalid_request_error", "max_tokens: too large", FailureKind.REQUEST),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            FailureKind.PAYMENT,
        ),
        (401, "authentication_error", "invalid x-api-key", FailureKind.AUTHENTICATION),
        (402, "billing_error", "payment", FailureKind.PAYMENT),
        (403, "permission_error", "not yours", FailureKind.AUTHENTICATION),
        (404, "not_found_error", "model: nobody", FailureKind.INVALID_MODEL),
        (413, "request_too_large", "too large", FailureKind.REQUEST),
        (429, "rate_limit_error", "slow down", FailureKind.RATE_LIMITED),
        (500, "api_error", "oops", FailureKind.SERVER),
        (504, "timeout_error", "too slow", FailureKind.SERVER),
        (529, "overloaded_error", "Overloaded", FailureKind.SERVER),
    ],
)
async def test_an_error_means_the_same_as_a_status_in_a_body_and_in_a_stream(status, type, message, kind):
    error = {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}
    by_status = await fail(
        ANTHROPIC, httpx.Response(status, json=error, headers={"retry-after": "7", "request-id": "req_1"})
    )
    in_body = await fail(ANTHROPIC, httpx.Response(200, json=error))
    in_stream = await fail(ANTHROPIC, events(f"event: error\ndata: {json.dumps(error)}\n\n".encode()), stream=True)
    assert [failure.kind for failure in (by_status, in_body, in_stream)] == [kind] * 3
    assert [failure.status_code for failure in (by_status, in_body, in_stream)] == [status] * 3
    assert by_status.detail == f"HTTP {status}: {message}"
    assert (by_status.retry_after_s, by_status.response_id, in_body.response_id) == (7, "req_1", "req_1")


async def test_an_error_in_the_middle_of_a_stream_cuts_it_and_keeps_what_was_counted():
    failure = await fail(ANTHROPIC, events(ANTHROPIC.first, ANTHROPIC.error), stream=True)
    assert (failure.kind, failure.status_code, failure.response_id) == (FailureKind.STREAM_CUT, 529, "r1")
    # The output was not counted to its end, so the call has no list cost: it may have been billed in full.
    assert failure.usage == Usage(prompt_tokens=12)
    assert "died" in failure.detail


async def test_a_stream_becomes_the_same_reply_as_a_body():
    whole = await ask(ANTHROPIC, httpx.Response(200, json=ANTHROPIC.completion))
    streamed = await ask(ANTHROPIC, events(ANTHROPIC.events), stream=True)
    assert isinstance(whole, Reply)
    assert isinstance(streamed, Reply)
    assert (streamed.text, streamed.usage, streamed.finish_reason) == (whole.text, whole.usage, whole.finish_reason)
    assert (whole.text, whole.usage, whole.finish_reason) == (
        "Paris",
        Usage(prompt_tokens=12, completion_tokens=3),
        "stop",
    )
