from __future__ import annotations

import json

import pytest

from panels.fusion.clients.messages import StreamedMessage, read_usage, result_of_payload
from panels.fusion.clients.payloads import UnreadablePayload
from panels.fusion.types import Failure, FailureKind, Reply, Usage


def body(**changes) -> dict[str, object]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-2026",
        "content": [{"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 3},
        **changes,
    }


def test_a_message_becomes_a_reply():
    assert result_of_payload(body(), latency_s=0.5) == Reply(
        text="Paris",
        usage=Usage(prompt_tokens=12, completion_tokens=3),
        latency_s=0.5,
        finish_reason="stop",
        provider_model="m-2026",
        response_id="msg_1",
    )


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ([], FailureKind.MALFORMED),
        (None, FailureKind.MALFORMED),
        ({"id": "msg_1"}, FailureKind.MALFORMED),
        (body(content="Paris"), FailureKind.MALFORMED),
        (body(content=[]), FailureKind.EMPTY),
        (body(content=[{"type": "text", "text": " \n"}]), FailureKind.EMPTY),
        (body(content=[{"type": "tool_use", "name": "look_up", "input": {}}]), FailureKind.EMPTY),
        (body(content=[], stop_reason="refusal"), FailureKind.REFUSED),
        (body(stop_reason="refusal"), FailureKind.REFUSED),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, FailureKind.SERVER),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, FailureKind.RATE_LIMITED),
        ({"type": "error", "error": {"type": "unheard_of"}}, FailureKind.SERVER),
    ],
)
def test_what_is_no_reply_is_a_failure_of_its_kind(payload, kind):
    result = result_of_payload(payload, latency_s=0.5)
    assert isinstance(result, Failure)
    assert (result.kind, result.latency_s) == (kind, 0.5)


def test_a_refusal_keeps_what_it_used():
    result = result_of_payload(body(stop_reason="refusal"), latency_s=0)
    assert (result.usage.completion_tokens, result.response_id) == (3, "msg_1")


def test_thoughts_and_tools_are_no_text():
    content = [
        {"type": "thinking", "thinking": "Is it Lyon?", "signature": "x"},
        {"type": "text", "text": "Pa"},
        {"type": "tool_use", "name": "look_up", "input": {"text": "no"}},
        "odd",
        {"type": "text", "text": "ris\x00"},
    ]
    result = result_of_payload(body(content=content, stop_reason="tool_use"), latency_s=0)
    assert isinstance(result, Reply)
    assert (result.text, result.finish_reason) == ("Paris", "tool_calls")


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause_turn"),
        ("x" * 100, "x" * 40),
        (None, ""),
        (3, ""),
    ],
)
def test_the_end_is_told_in_the_same_words_as_elsewhere(stop_reason, finish_reason):
    result = result_of_payload(body(stop_reason=stop_reason), latency_s=0)
    assert isinstance(result, Reply)
    assert result.finish_reason == finish_reason


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 70,
                "cache_creation_input_tokens": 20,
                "output_tokens": 5,
            },
            Usage(prompt_tokens=100, completion_tokens=5, cached_tokens=70),
        ),
        (
            {"input_tokens": 10, "cache_read_input_tokens": None, "output_tokens": 0},
            Usage(prompt_tokens=10, completion_tokens=0),
        ),
        ({"cache_read_input_tokens": 70}, Usage(cached_tokens=70)),
        ({"input_tokens": -1, "output_tokens": 1.5}, Usage()),
        ({"input_tokens": 10**9, "cache_read_input_tokens": 10**9}, Usage(cached_tokens=10**9)),
        (None, Usage()),
        ([], Usage()),
    ],
)
def test_cached_tokens_count_among_the_prompts(usage, read):
    assert read_usage(usage) == read


def stream(*events: dict[str, object] | str) -> StreamedMessage:
    streamed = StreamedMessage()
    for number, event in enumerate(events, start=1):
        streamed.add(event if isinstance(event, str) else json.dumps(event), elapsed_s=number / 10)
    return streamed


def start(**usage) -> dict[str, object]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m-2026", "content": [], "usage": usage}}


def text(words: str) -> dict[str, object]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}


def end(stop_reason: str | None = "end_turn", **usage) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}


STOP: dict[str, object] = {"type": "message_stop"}


def test_a_stream_becomes_a_reply_with_the_time_of_its_first_token():
    streamed = stream(
        start(input_tokens=10, cache_read_input_tokens=2, output_tokens=1),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Lyon?"}},
        text("Pa"),
        text("ris"),
        {"type": "content_block_stop", "index": 0},
        end(output_tokens=3),
        STOP,
    )
    assert streamed.done
    assert streamed.result(elapsed_s=9.0) == Reply(
        text="Paris",
        usage=Usage(prompt_tokens=12, completion_tokens=3, cached_tokens=2),
        latency_s=0.9,
        first_token_s=0.5,
        finish_reason="stop",
        provider_model="m-2026",
        response_id="msg_1",
    )


def test_text_in_the_start_of_a_block_counts():
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Pa"}}
    assert stream(block, text("ris"), STOP).result(elapsed_s=1).text == "Paris"


def test_later_counts_replace_earlier_ones_and_none_says_nothing():
    first = start(input_tokens=0, cache_read_input_tokens=5, output_tokens=1)
    last = end(input_tokens=9, cache_read_input_tokens=None, output_tokens=3)
    usage = stream(first, text("Paris"), last, STOP).result(elapsed_s=1).usage
    assert usage == Usage(prompt_tokens=14, completion_tokens=3, cached_tokens=5)


def test_usage_that_is_missing_is_unknown():
    assert stream(text("Paris"), STOP).result(elapsed_s=1).usage == Usage()


@pytest.mark.parametrize("events", [(), (start(),), (start(), text("Par")), (start(), text("Par"), end(None))])
def test_a_stream_without_an_end_was_cut(events):
    result = stream(*events).result(elapsed_s=2.5)
    assert isinstance(result, Failure)
    assert (result.kind, result.latency_s) == (FailureKind.STREAM_CUT, 2.5)


@pytest.mark.parametrize("sign", [end(), STOP, "[DONE]"])
def test_any_sign_of_the_end_is_enough(sign):
    assert isinstance(stream(start(), text("Paris"), sign).result(elapsed_s=1), Reply)


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([start(), end(), STOP], FailureKind.EMPTY),
        ([start(), text("Par"), end("refusal"), STOP], FailureKind.REFUSED),
        ([start(), end("refusal"), STOP], FailureKind.REFUSED),
    ],
)
def test_a_finished_stream_is_judged_like_a_body(events, kind):
    result = stream(*events).result(elapsed_s=1)
    assert isinstance(result, Failure)
    assert result.kind is kind


def test_events_that_say_nothing_are_passed_over():
    odd = ["", " ", "null", "3", '{"type": "vertigo"}', '{"delta": "x", "message": 3, "usage": []}']
    assert stream(*odd, text("Paris"), STOP).result(elapsed_s=1).text == "Paris"


def test_an_event_that_is_no_json_is_unreadable():
    with pytest.raises(UnreadablePayload):
        stream('{"type": ')
