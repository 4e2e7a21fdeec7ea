"""What no provider may do to us, whatever its wire format."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from panels.fusion.clients.exchange import MAX_BODY_BYTES, MAX_ERROR_BYTES, BadConnectionSettings
from panels.fusion.types import FailureKind, Reply
from tests.unit.panels.fusion.clients.mock_provider import (
    ANTHROPIC,
    COMMENT,
    KEY,
    OPENAI,
    REQUEST,
    Chunks,
    Spoken,
    ask,
    events,
    fail,
    open_client,
)


@pytest.fixture(params=[OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def spoken(request) -> Spoken:
    return request.param


@pytest.mark.parametrize(
    "base_url", ["", "provider.test/v1", "ftp://provider.test", "http://", "http://[::1", "http://a:b"]
)
def test_an_address_that_cannot_be_called_is_refused(spoken, base_url):
    with pytest.raises(BadConnectionSettings, match="address"):
        spoken.client(base_url=base_url, api_key=None, concurrency=1)


def test_a_client_that_could_never_ask_is_refused(spoken):
    with pytest.raises(BadConnectionSettings, match="At least one"):
        spoken.client(base_url="https://provider.test", api_key=None, concurrency=0)


@pytest.mark.parametrize("key", ["sk-ключ", "sk-\nX-Evil: 1"])
def test_a_key_that_fits_no_header_is_refused_without_being_shown(spoken, key):
    with pytest.raises(BadConnectionSettings) as caught:
        spoken.client(base_url="https://provider.test", api_key=key, concurrency=1)
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
async def test_an_error_status_is_a_failure(spoken, status, kind):
    error = {"error": {"message": "because", "type": "t", "param": None, "code": None}}
    failure = await fail(spoken, httpx.Response(status, json=error))
    assert (failure.kind, failure.status_code, failure.detail) == (kind, status, f"HTTP {status}: because")
    assert failure.latency_s is not None


async def test_an_html_error_page_is_named_as_one(spoken):
    page = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
    failure = await fail(spoken, httpx.Response(502, html=page))
    assert (failure.kind, failure.detail) == (FailureKind.SERVER, "HTTP 502: HTML page: 502 Bad Gateway")


async def test_retry_after_is_read_as_seconds_or_as_a_date(spoken):
    failure = await fail(spoken, httpx.Response(429, headers={"retry-after": "12"}))
    assert failure.retry_after_s == 12
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    failure = await fail(spoken, httpx.Response(429, headers={"retry-after": later}))
    assert failure.retry_after_s == pytest.approx(300, abs=30)


@pytest.mark.parametrize("rest", [httpx.ReadError("reset"), b"x" * (MAX_ERROR_BYTES + 1)])
async def test_an_error_status_counts_although_its_body_breaks_or_is_too_long(spoken, rest):
    failure = await fail(spoken, httpx.Response(500, stream=Chunks(b"oops ", rest, httpx.ReadError("not read so far"))))
    assert failure.kind is FailureKind.SERVER
    assert failure.detail.startswith("HTTP 500: oops")


@pytest.mark.parametrize("body", ['{"id":"r1","cho', "", "<html><title>Login</title></html>"])
async def test_status_200_without_json_is_malformed(spoken, body):
    failure = await fail(spoken, httpx.Response(200, text=body))
    assert (failure.kind, failure.status_code) == (FailureKind.MALFORMED, 200)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_larger_than_any_reply_is_given_up(spoken, stream):
    part = b": still working on it\n" * 50_000
    parts = [part] * (MAX_BODY_BYTES // len(part) + 1)
    response = events(*parts, AssertionError("read too far"), content_type="text/event-stream" if stream else "")
    failure = await fail(spoken, response, stream=stream)
    assert failure.kind is FailureKind.MALFORMED
    assert "larger than" in failure.detail


async def test_a_body_that_cannot_be_unpacked_is_malformed(spoken):
    response = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Chunks(b"no gzip"))
    assert (await fail(spoken, response)).kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError("refused"), FailureKind.CONNECTION, "refused"),
        (httpx.ReadError(""), FailureKind.CONNECTION, "ReadError"),
        (httpx.RemoteProtocolError("closed"), FailureKind.CONNECTION, "closed"),
        (httpx.ConnectTimeout(""), FailureKind.CONNECTION, "no connection within 5 s"),
        (httpx.ReadTimeout(""), FailureKind.TIMEOUT, "no first byte of a reply for 30 s"),
    ],
)
async def test_a_broken_exchange_is_a_failure_that_says_what_broke(spoken, error, kind, words):
    failure = await fail(spoken, error)
    assert (failure.kind, failure.detail, failure.status_code) == (kind, words, None)
    assert failure.latency_s is not None


@pytest.mark.parametrize("stream", [False, True])
async def test_silence_in_the_middle_is_told_from_silence_at_the_start(spoken, stream):
    failure = await fail(spoken, events(b"data: 1\n\n", httpx.ReadTimeout(""), content_type=""), stream=stream)
    assert (failure.kind, failure.detail) == (FailureKind.TIMEOUT, "silent in the middle of the reply for 30 s")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_that_never_ends_runs_into_the_total_time(spoken, stream):
    parts: list[bytes | float] = [b": processing\n\n", 0.01] * 1000
    failure = await fail(spoken, events(*parts, content_type=""), stream=stream, total_timeout_s=0.1)
    assert (failure.kind, failure.detail) == (FailureKind.TIMEOUT, "no complete reply within 0.1 s in total")


async def test_a_cancelled_call_is_cancelled_and_gives_its_place_back(spoken):
    waiting = httpx.Response(200, stream=Chunks(b" ", 60))
    answers = iter([waiting, httpx.Response(200, json=spoken.completion)])
    async with open_client(spoken, lambda request: next(answers), concurrency=1) as opened:
        call = asyncio.ensure_future(opened.complete(REQUEST))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert isinstance(await opened.complete(REQUEST), Reply)


async def test_waiting_for_a_place_counts_to_no_time_limit(spoken):
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Chunks(0.06, json.dumps(spoken.completion).encode()))

    async with open_client(spoken, handler, concurrency=1, total_timeout_s=0.15) as opened:
        replies = await asyncio.gather(*(opened.complete(REQUEST) for _ in range(4)))
    assert [type(reply) for reply in replies] == [Reply] * 4
    assert max(reply.latency_s or 0 for reply in replies) < 0.15


async def test_no_detail_shows_the_key_and_none_is_long(spoken):
    body = {"error": {"message": f"Bad key {KEY} in {'x' * 280}{KEY}\x00\ud800", "code": None}}
    text = json.dumps(body)
    failure = await fail(spoken, httpx.Response(401, text=text, headers={"content-type": "application/json"}))
    assert failure.detail.startswith("HTTP 401: Bad key *** in xxx")
    assert KEY[:6] not in failure.detail
    assert len(failure.detail) == 300


async def test_no_detail_shows_the_value_of_another_header(spoken):
    failure = await fail(
        spoken, httpx.ConnectError("Illegal header value b'hush-hush'"), headers=[("x-key", "hush-hush")]
    )
    assert failure.detail == "Illegal header value b'***'"


async def test_a_stream_becomes_a_reply(spoken):
    reply = await ask(spoken, events(spoken.first[:30], 0.02, spoken.first[30:], spoken.last, spoken.end), stream=True)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason) == ("Paris", "stop")
    assert reply.first_token_s is not None
    assert reply.latency_s is not None
    assert 0 < reply.first_token_s <= reply.latency_s


async def test_a_stream_is_read_to_its_end_so_that_the_connection_is_kept(spoken):
    body = Chunks(spoken.events, b": tail\n\n")
    await ask(spoken, httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body), stream=True)
    assert body.read_to_the_end


async def test_a_stream_that_stays_open_after_its_end_is_left(spoken):
    async with asyncio.timeout(5):
        reply = await ask(spoken, events(spoken.events, 60), stream=True)
    assert isinstance(reply, Reply)
    assert reply.latency_s is not None
    assert reply.latency_s < 0.25


async def test_a_body_in_place_of_the_stream_is_read_all_the_same(spoken):
    assert isinstance(await ask(spoken, httpx.Response(200, json=spoken.completion), stream=True), Reply)


async def test_a_stream_in_place_of_the_body_is_read_all_the_same(spoken):
    assert isinstance(await ask(spoken, events(spoken.events), stream=False), Reply)


async def test_an_html_page_in_place_of_the_stream_is_malformed(spoken):
    failure = await fail(spoken, httpx.Response(200, html="<html></html>"), stream=True)
    assert failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize(
    "parts",
    [
        lambda spoken: [],
        lambda spoken: [COMMENT * 3],
        lambda spoken: [spoken.first],
        lambda spoken: [spoken.first, spoken.last[:40]],
        lambda spoken: [spoken.first, httpx.ReadError("reset")],
        lambda spoken: [spoken.first, spoken.error, spoken.end],
    ],
)
async def test_a_stream_that_lacks_its_end_was_cut(spoken, parts):
    failure = await fail(spoken, events(*parts(spoken)), stream=True)
    assert failure.kind is FailureKind.STREAM_CUT


async def test_a_stream_that_breaks_after_its_last_word_is_whole(spoken):
    assert isinstance(
        await ask(spoken, events(spoken.first, spoken.last, httpx.ReadError("reset")), stream=True), Reply
    )


async def test_an_end_without_its_blank_line_counts(spoken):
    assert isinstance(await ask(spoken, events(spoken.events.rstrip()), stream=True), Reply)


async def test_an_event_that_is_no_json_is_malformed(spoken):
    failure = await fail(spoken, events(b"data: {oops}\n\n", spoken.events), stream=True)
    assert failure.kind is FailureKind.MALFORMED
