from __future__ import annotations

import json

import pytest

from panels.simulator.messages_wire import STREAM_END, completion_body, error_body, error_event, stream_pieces
from panels.simulator.wire import Completion, UsageTold


def completion(**changes) -> Completion:
    values = {"text": "It is Paris.", "finish_reason": "stop", "prompt_tokens": 16, "completion_tokens": 4, **changes}
    return Completion(id="msg_1", created=5, model="sim-x", **values)


def read_events(raw: bytes) -> list[dict]:
    found = []
    for block in raw.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_body_is_a_whole_message():
    assert json.loads(completion_body(completion())) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "sim-x",
        "content": [{"type": "text", "text": "It is Paris."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 16,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 4,
        },
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"finish_reason": "length"}, "max_tokens"), ({"refused": True}, "refusal"), ({}, "end_turn")],
)
def test_the_end_is_named_in_a_body_and_in_a_stream(changes, reason):
    made = completion(**changes)
    assert json.loads(completion_body(made))["stop_reason"] == reason
    assert read_events(stream_pieces(made)[-1])[-1]["delta"]["stop_reason"] == reason


def test_usage_may_be_missing_everywhere():
    untold = completion(usage_told=UsageTold.NEVER)
    whole = completion_body(untold) + b"".join(stream_pieces(untold))
    assert (b"usage" in whole, b"Paris" in whole) == (False, True)


def test_an_empty_completion_has_no_content():
    assert json.loads(completion_body(completion(text="")))["content"] == []
    assert len(stream_pieces(completion(text=""))) == 2


def test_a_stream_starts_counts_and_ends_as_the_api_does():
    events = read_events(b"".join(stream_pieces(completion())) + STREAM_END)
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["usage"]["output_tokens"] == 1
    assert events[-2]["usage"] == {"output_tokens": 4}
    texts = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(texts) == "It is Paris."


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_has_one_shape_in_a_body_and_in_a_stream(status, type):
    error = {"type": "error", "error": {"type": type, "message": "because"}}
    assert json.loads(error_body(message="because", status=status)) == error
    assert read_events(error_event(message="because", status=status)) == [error]
