from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from panels.fusion.clients.openai import (
    MAX_BODY_BYTES,
    MAX_ERROR_BYTES,
    BadConnectionSettings,
    OpenAIClient,
    request_body,
)
from panels.fusion.types import Failure, FailureKind, Message, ModelRequest, Reply, Sampling

KEY = "sk-secret-0123456789"
REQUEST = ModelRequest(
    model="maker/model", messages=(Message(role="user", content="Capital of France?"),), sampling=Sampling(max_tokens=9)
)
COMPLETION = {
    "id": "r1",
    "model": "maker/model-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "cost": 0.00014},
}
COMMENT = b": OPENROUTER PROCESSING\n\n"
FIRST = b'data: {"id":"r1","choices":[{"index":0,"delta":{"content":"Pa"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"r1","choices":[{"index":0,"delta":{"content":"ris"},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"died","code":502},"choices":[{"finish_reason":"error"}]}\n\n'
DONE = b"data: [DONE]\n\n"
EVENTS = COMMENT + FIRST + LAST + DONE
Handler = Callable[[httpx.Request], httpx.Response]


class Chunks(httpx.AsyncByteStream):
    """A body in chunks; an exception in their place is raised, a number is waited for."""

    def __init__(self, *parts: bytes | Exception | float) -> None:
        self.parts = parts
        self.read_to_the_end = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, bytes):
                yield part
            else:
                await asyncio.sleep(part)
        self.read_to_the_end = True


def client(handler: Handler, **settings) -> OpenAIClient:
    settings = {"base_url": "https://provider.test/v1", "api_key": KEY, "concurrency": 2, **settings}
    return OpenAIClient(**settings, transport=httpx.MockTransport(handler))


async def ask(response: httpx.Response | Exception, **settings) -> Reply | Failure:
    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    async with client(handler, **settings) as opened:
        return await opened.complete(REQUEST)


async def fail(response: httpx.Response | Exception, **settings) -> Failure:
    result = await ask(response, **settings)
    assert isinstance(result, Failure)
    return result


def events(*parts: bytes | Exception | float, content_type: str = "text/event-stream") -> httpx.Response:
    return httpx.Response(200, headers={"content-type": content_type}, stream=Chunks(*parts))


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
        return httpx.Response(200, json=COMPLETION)

    async with client(handler, headers=[("X-Title", "Quorum")]) as opened:
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
        return httpx.Response(200, json=COMPLETION)

    async with client(handler, api_key=None) as opened:
        assert isinstance(await opened.complete(REQUEST), Reply)


@pytest.mark.parametrize(
    "base_url", ["", "provider.test/v1", "ftp://provider.test", "http://", "http://[::1", "http://a:b"]
)
def test_an_address_that_cannot_be_called_is_refused(base_url):
    with pytest.raises(BadConnectionSettings, match="address"):
        OpenAIClient(base_url=base_url, api_key=None, concurrency=1)


def test_a_client_that_could_never_ask_is_refused():
    with pytest.raises(BadConnectionSettings, match="At least one"):
        OpenAIClient(base_url="https://provider.test", api_key=None, concurrency=0)


@pytest.mark.parametrize("key", ["sk-ключ", "sk-\nX-Evil: 1"])
def test_a_key_that_fits_no_header_is_refused_without_being_shown(key):
    with pytest.raises(BadConnectionSettings) as caught:
        OpenAIClient(base_url="https://provider.test", api_key=key, concurrency=1)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.REQUEST),
        (401, FailureKind.AUTHENTICATION),
        (402, FailureKind.PAYMENT),
        (404, FailureKind.INVALID_MODEL),
        (429, FailureKind.RATE_LIMITED),
        (500, FailureKind.SERVER),
        (529, FailureKind.SERVER),
    ],
)
async def test_an_error_status_is_a_failure(status, kind):
    error = {"error": {"message": "because", "type": "t", "param": None, "code": None}}
    failure = await fail(httpx.Response(status, json=error))
    assert (failure.kind, failure.status_code, failure.detail) == (kind, status, f"HTTP {status}: because")
    assert failure.latency_s is not None


async def test_an_html_error_page_is_named_as_one():
    page = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
    failure = await fail(httpx.Response(502, html=page))
    assert (failure.kind, failure.detail) == (FailureKind.SERVER, "HTTP 502: HTML page: 502 Bad Gateway")


async def test_retry_after_is_read_as_seconds_or_as_a_date():
    failure = await fail(httpx.Response(429, headers={"retry-after": "12"}))
    assert failure.retry_after_s == 12
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    failure = await fail(httpx.Response(429, headers={"retry-after": later}))
    assert failure.retry_after_s == pytest.approx(300, abs=30)


@pytest.mark.parametrize("rest", [httpx.ReadError("reset"), b"x" * (MAX_ERROR_BYTES + 1)])
async def test_an_error_status_counts_although_its_body_breaks_or_is_too_long(rest):
    failure = await fail(httpx.Response(500, stream=Chunks(b"oops ", rest, httpx.ReadError("not read so far"))))
    assert failure.kind is FailureKind.SERVER
    assert failure.detail.startswith("HTTP 500: oops")


async def test_status_200_with_an_error_body_is_a_failure():
    failure = await fail(httpx.Response(200, json={"error": {"message": "busy", "code": 429}}))
    assert (failure.kind, failure.status_code) == (FailureKind.RATE_LIMITED, 429)


@pytest.mark.parametrize("body", [json.dumps(COMPLETION)[:60], "", "<html><title>Login</title></html>"])
async def test_status_200_without_json_is_malformed(body):
    failure = await fail(httpx.Response(200, text=body))
    assert (failure.kind, failure.status_code) == (FailureKind.MALFORMED, 200)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_larger_than_any_reply_is_given_up(stream):
    part = b": still working on it\n" * 50_000
    parts = [part] * (MAX_BODY_BYTES // len(part) + 1)
    response = events(*parts, AssertionError("read too far"), content_type="text/event-stream" if stream else "")
    failure = await fail(response, stream=stream)
    assert failure.kind is FailureKind.MALFORMED
    assert "larger than" in failure.detail


async def test_a_body_that_cannot_be_unpacked_is_malformed():
    response = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(b"no gzip"))
    assert (await fail(response)).kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError("refused"), FailureKind.CONNECTION, "refused"),
        (httpx.ReadError(""), FailureKind.CONNECTION, "ReadError"),
        (httpx.RemoteProtocolError("closed"), FailureKind.CONNECTION, "closed"),
        (httpx.ConnectTimeout(""), FailureKind.TIMEOUT, "no connection within 5 s"),
        (httpx.ReadTimeout(""), FailureKind.TIMEOUT, "no first byte of a reply for 30 s"),
    ],
)
async def test_a_broken_exchange_is_a_failure_that_says_what_broke(error, kind, words):
    failure = await fail(error)
    assert (failure.kind, failure.detail, failure.status_code) == (kind, words, None)
    assert failure.latency_s is not None


@pytest.mark.parametrize("stream", [False, True])
async def test_silence_in_the_middle_is_told_from_silence_at_the_start(stream):
    failure = await fail(events(b"data: 1\n\n", httpx.ReadTimeout(""), content_type=""), stream=stream)
    assert (failure.kind, failure.detail) == (FailureKind.TIMEOUT, "silent in the middle of the reply for 30 s")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_that_never_ends_runs_into_the_total_time(stream):
    parts: list[bytes | float] = [b": processing\n\n", 0.01] * 1000
    failure = await fail(events(*parts, content_type=""), stream=stream, total_timeout_s=0.1)
    assert (failure.kind, failure.detail) == (FailureKind.TIMEOUT, "no complete reply within 0.1 s in total")


async def test_a_cancelled_call_is_cancelled_and_gives_its_place_back():
    waiting = httpx.Response(200, stream=Chunks(b" ", 60))
    answers = iter([waiting, httpx.Response(200, json=COMPLETION)])
    async with client(lambda request: next(answers), concurrency=1) as opened:
        call = asyncio.ensure_future(opened.complete(REQUEST))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert isinstance(await opened.complete(REQUEST), Reply)


async def test_waiting_for_a_place_counts_to_no_time_limit():
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Chunks(0.06, json.dumps(COMPLETION).encode()))

    async with client(handler, concurrency=1, total_timeout_s=0.15) as opened:
        replies = await asyncio.gather(*(opened.complete(REQUEST) for _ in range(4)))
    assert [type(reply) for reply in replies] == [Reply] * 4
    assert max(reply.latency_s or 0 for reply in replies) < 0.15


async def test_no_detail_shows_the_key_and_none_is_long():
    body = {"error": {"message": f"Bad key {KEY} in {'x' * 280}{KEY}\x00\ud800", "code": None}}
    text = json.dumps(body)
    failure = await fail(httpx.Response(401, text=text, headers={"content-type": "application/json"}))
    assert failure.detail.startswith("HTTP 401: Bad key *** in xxx")
    assert KEY[:6] not in failure.detail
    assert len(failure.detail) == 300


async def test_no_detail_shows_the_value_of_another_header():
    failure = await fail(httpx.ConnectError("Illegal header value b'hush-hush'"), headers=[("x-key", "hush-hush")])
    assert failure.detail == "Illegal header value b'***'"


async def test_a_stream_becomes_a_reply():
    reply = await ask(events(FIRST[:30], 0.02, FIRST[30:], LAST, DONE), stream=True)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason) == ("Paris", "stop")
    assert reply.first_token_s is not None
    assert reply.latency_s is not None
    assert 0 < reply.first_token_s <= reply.latency_s


async def test_a_stream_is_read_to_its_end_so_that_the_connection_is_kept():
    body = Chunks(EVENTS, b": tail\n\n")
    await ask(httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body), stream=True)
    assert body.read_to_the_end


async def test_a_stream_that_stays_open_after_its_end_is_left():
    async with asyncio.timeout(5):
        reply = await ask(events(EVENTS, 60), stream=True)
    assert isinstance(reply, Reply)
    assert reply.latency_s is not None
    assert reply.latency_s < 0.25


async def test_a_body_in_place_of_the_stream_is_read_all_the_same():
    assert isinstance(await ask(httpx.Response(200, json=COMPLETION), stream=True), Reply)


async def test_a_stream_in_place_of_the_body_is_read_all_the_same():
    assert isinstance(await ask(events(EVENTS), stream=False), Reply)


async def test_an_html_page_in_place_of_the_stream_is_malformed():
    failure = await fail(httpx.Response(200, html="<html></html>"), stream=True)
    assert failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [COMMENT * 3],
        [FIRST],
        [FIRST, LAST[:40]],
        [FIRST, httpx.ReadError("reset")],
        [FIRST, ERROR, DONE],
    ],
)
async def test_a_stream_that_lacks_its_end_was_cut(parts):
    failure = await fail(events(*parts), stream=True)
    assert failure.kind is FailureKind.STREAM_CUT


async def test_a_stream_that_breaks_after_its_last_word_is_whole():
    assert isinstance(await ask(events(FIRST, LAST, httpx.ReadError("reset")), stream=True), Reply)


async def test_an_end_without_its_blank_line_counts():
    assert isinstance(await ask(events(EVENTS.rstrip()), stream=True), Reply)


async def test_an_event_that_is_no_json_is_malformed():
    failure = await fail(events(b"data: {oops}\n\n", EVENTS), stream=True)
    assert failure.kind is FailureKind.MALFORMED
