"""Where a reply says that it was made, in either wire format, whole or streamed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from panels.fusion.clients.completions import StreamedCompletion
from panels.fusion.clients.messages import StreamedMessage
from tests.unit.panels.fusion.clients.mock_provider import ANTHROPIC, OPENAI, ask, events, fail


def whole(spoken, *, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return httpx.Response(200, json={**spoken.completion, **changes}, headers=headers)


async def test_a_completion_names_its_region_and_whom_a_reseller_passed_it_on_to():
    reply = await ask(OPENAI, whole(OPENAI, region="EU West 1", provider="Some House"))
    assert (reply.region, reply.served_by) == ("eu-west-1", "Some House")


async def test_a_message_names_it_with_its_usage():
    usage = {"input_tokens": 12, "output_tokens": 3}
    assert (await ask(ANTHROPIC, whole(ANTHROPIC, usage={**usage, "inference_geo": "us"}))).region == "us"
    assert (await ask(ANTHROPIC, whole(ANTHROPIC, usage={**usage, "inference_geo": "global"}))).region == ""


@pytest.mark.parametrize("spoken", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("header", ["x-region", "x-ms-region"])
async def test_a_header_names_it_where_the_body_does_not(spoken, header):
    assert (await ask(spoken, whole(spoken, headers={header: "Sweden Central"}))).region == "sweden-central"
    streamed = events(spoken.events)
    streamed.headers[header] = "eu"
    assert (await ask(spoken, streamed, stream=True)).region == "eu"


async def test_the_body_counts_before_the_header():
    assert (await ask(OPENAI, whole(OPENAI, headers={"x-region": "us"}, region="eu"))).region == "eu"


@pytest.mark.parametrize("told", [None, 7, "", "--", ["eu"]])
async def test_what_is_no_region_is_none(told):
    assert (await ask(OPENAI, whole(OPENAI, region=told, provider=told if told != "--" else None))).region == ""


async def test_a_failure_tells_as_much_as_a_reply():
    refused = {"choices": [{"index": 0, "message": {"refusal": "No."}}], "region": "eu", "provider": "Some House"}
    failure = await fail(OPENAI, httpx.Response(200, json=refused))
    assert (failure.region, failure.served_by) == ("eu", "Some House")
    in_body = await fail(OPENAI, httpx.Response(200, json={"error": {"message": "died"}, "region": "eu"}))
    assert in_body.region == "eu"
    by_status = await fail(OPENAI, httpx.Response(503, json={}, headers={"x-region": "us"}))
    assert by_status.region == "us"


def test_a_stream_names_it_once_and_it_stays():
    streamed = StreamedCompletion()
    for chunk in ({"region": "eu", "provider": "Some House"}, {"region": "us", "provider": "Another"}, {}):
        streamed.add(json.dumps({"choices": [], **chunk}), elapsed_s=0.1)
    assert (streamed.head.region, streamed.head.served_by) == ("eu", "Some House")


def test_a_streamed_message_names_it_at_its_start():
    streamed = StreamedMessage()
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1, "inference_geo": "us"}}}
    for event in (start, {"type": "message_delta", "usage": {"output_tokens": 3}}):
        streamed.add(json.dumps(event), elapsed_s=0.1)
    assert (streamed.head.region, streamed.head.usage.completion_tokens) == ("us", 3)
