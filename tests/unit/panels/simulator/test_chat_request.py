from __future__ import annotations

import json

import pytest

from panels.simulator.chat_request import ChatRequest, InvalidRequest, parse_request

USER = {"role": "user", "content": "Hello"}


def parse(**changes) -> ChatRequest:
    return parse_request(json.dumps({"model": "sim-x", "messages": [USER], **changes}).encode())


def test_a_request_is_read_with_its_settings():
    options = {"include_usage": True}
    assert parse(max_tokens=7, seed=3, stream=True, stream_options=options, temperature=0.2, n=1) == ChatRequest(
        model="sim-x", messages=(("user", "Hello"),), max_tokens=7, seed=3, stream=True, include_usage=True
    )


def test_content_may_come_in_parts():
    parts = [{"type": "text", "text": "Hel"}, {"type": "image_url"}, {"type": "text", "text": "lo"}]
    assert parse(messages=[{"role": "user", "content": parts}]).messages == (("user", "Hello"),)


def test_the_newer_name_of_the_limit_counts_first():
    assert parse(max_tokens=7, max_completion_tokens=5).max_tokens == 5


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [USER, "Hello"]}, "messages[1].role"),
        ({"messages": [{"role": "oracle", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"seed": "x"}, "seed"),
        ({"n": 2}, "n"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": 1}, "stream_options"),
    ],
)
def test_a_bad_field_is_named(changes, param):
    with pytest.raises(InvalidRequest) as caught:
        parse(**changes)
    assert (caught.value.param, caught.value.status) == (param, 400)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequest):
        parse_request(body)
