from __future__ import annotations

import json
from decimal import Decimal

import pytest

from panels.fusion.clients.completions import (
    StreamedCompletion,
    read_usage,
    result_of_payload,
)
from panels.fusion.clients.payloads import UnreadablePayload, load_payload, without_lone_surrogates
from panels.fusion.types import Failure, FailureKind, Reply, Usage


def body(**changes) -> dict[str, object]:
    message = {"role": "assistant", "content": "Paris", "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    return {"id": "r1", "model": "m-2026", "choices": [choice], "usage": usage, **changes}


def with_message(**message) -> dict[str, object]:
    return body(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


def result_of(payload: object) -> Reply | Failure:
    return result_of_payload(load_payload(json.dumps(payload)), latency_s=0.5)


def test_a_completion_becomes_a_reply():
    assert result_of(body()) == Reply(
        text="Paris",
        usage=Usage(prompt_tokens=12, completion_tokens=3),
        latency_s=0.5,
        finish_reason="stop",
        provider_model="m-2026",
        response_id="r1",
    )


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ([], FailureKind.MALFORMED),
        ({"id": "r1"}, FailureKind.MALFORMED),
        (body(choices="none"), FailureKind.MALFORMED),
        (body(choices=[]), FailureKind.EMPTY),
        (body(choices=[None, {"index": 1, "message": {"content": "other"}}]), FailureKind.EMPTY),
        (body(choices=[{"index": 0, "message": "Paris"}]), FailureKind.EMPTY),
        (with_message(content=None), FailureKind.EMPTY),
        (with_message(content=" \n"), FailureKind.EMPTY),
        (with_message(content=7), FailureKind.EMPTY),
        (with_message(content=None, refusal="I cannot help with that."), FailureKind.REFUSED),
        (
            body(choices=[{"index": 0, "message": {"content": "Par"}, "finish_reason": "content_filter"}]),
            FailureKind.REFUSED,
        ),
        ({"error": {"message": "slow down", "code": 429}}, FailureKind.RATE_LIMITED),
        ({"error": {"message": "no key", "code": 401}}, FailureKind.AUTHENTICATION),
        ({"error": {"message": "boom"}}, FailureKind.SERVER),
        (body(choices=[{"index": 0, "error": {"message": "boom", "code": 502}}]), FailureKind.SERVER),
    ],
)
def test_what_is_no_reply_is_a_failure_of_its_kind(payload, kind):
    result = result_of(payload)
    assert isinstance(result, Failure)
    assert result.kind is kind
    assert result.latency_s == 0.5


def test_a_refusal_keeps_its_words_and_what_it_used():
    result = result_of(with_message(content=None, refusal="I cannot help with that."))
    assert isinstance(result, Failure)
    assert result.detail == "I cannot help with that."
    assert (result.usage.completion_tokens, result.provider_model, result.response_id) == (3, "m-2026", "r1")


def test_an_error_in_a_body_of_status_200_gives_its_own_status():
    result = result_of({"error": {"message": "slow down", "code": 429}})
    assert isinstance(result, Failure)
    assert result.status_code == 429
    assert "slow down" in result.detail


def test_content_may_come_in_parts():
    parts = [{"type": "text", "text": "Pa"}, {"type": "image_url"}, "x", {"type": "text", "text": "ris"}]
    result = result_of(with_message(content=parts))
    assert isinstance(result, Reply)
    assert result.text == "Paris"


def test_text_is_free_of_what_databases_refuse():
    payload = load_payload(r'{"choices": [{"message": {"content": "a\u0000b\ud800c"}}]}')
    result = result_of_payload(payload, latency_s=0)
    assert isinstance(result, Reply)
    assert result.text == "ab�c"


def test_halves_of_a_pair_that_came_apart_are_joined():
    assert without_lone_surrogates("\ud83d" + "\ude00") == "😀"
    assert without_lone_surrogates("plain é") == "plain é"


def test_names_from_the_provider_are_bounded():
    result = result_of(body(model="m" * 1000, id=None))
    assert isinstance(result, Reply)
    assert (len(result.provider_model), result.response_id) == (200, "")


@pytest.mark.parametrize("raw", ["", "{", '{"a": ', "<html>", "[" * 100_000, b"\xff\xfe\xff", "1" * 5000])
def test_what_is_no_json_is_unreadable(raw):
    with pytest.raises(UnreadablePayload):
        load_payload(raw)


def test_constants_that_are_no_json_are_unknown():
    assert load_payload('{"cost": NaN, "other": -Infinity}') == {"cost": None, "other": None}


def test_a_fraction_with_an_absurd_exponent_is_no_crash():
    assert read_usage(load_payload('{"cost": 1e999999, "prompt_tokens": 1e-999999}')) == Usage()
    with pytest.raises(UnreadablePayload):
        load_payload('{"cost": 1e99999999999999999999}')


def test_usage_is_read_with_its_details():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 40},
        "cost": Decimal("0.00014"),
    }
    assert read_usage(usage) == Usage(
        prompt_tokens=100,
        completion_tokens=50,
        cached_tokens=64,
        reasoning_tokens=40,
        reported_cost_nanousd=140_000,
    )


@pytest.mark.parametrize("usage", [None, [], "10", {}, {"prompt_tokens_details": 3}])
def test_usage_that_is_missing_is_unknown(usage):
    assert read_usage(usage) == Usage()


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (0, 0),
        (12, 12),
        (Decimal("12.0"), 12),
        ("12", 12),
        (-1, None),
        (1.5, None),
        (Decimal("1.5"), None),
        (True, None),
        (10**10, None),
        ("many", None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        ([1], None),
    ],
)
def test_token_counts_that_are_negative_or_absurd_are_unknown(value, tokens):
    assert read_usage({"prompt_tokens": value}).prompt_tokens == tokens


@pytest.mark.parametrize(
    ("cost", "nanousd"),
    [
        ("0.1", 100_000_000),
        ("0.0000000014", 1),
        ("0.29", 290_000_000),
        ("1.1e-7", 110),
        ("0", 0),
        ("2", 2_000_000_000),
        ("-0.1", None),
        ("1e9", None),
        ("null", None),
        ('"0.000003"', 3_000),
    ],
)
def test_dollars_become_nano_dollars_without_drift(cost, nanousd):
    assert read_usage(load_payload(f'{{"cost": {cost}}}')).reported_cost_nanousd == nanousd


def chunk(content: str | None = None, *, finish: str | None = None, **changes) -> str:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "r1", "model": "m-2026", "choices": [choice], **changes})


def stream(*events: str) -> StreamedCompletion:
    streamed = StreamedCompletion()
    for number, event in enumerate(events, start=1):
        streamed.add(event, elapsed_s=number / 10)
    return streamed


def test_a_stream_becomes_a_reply_with_the_time_of_its_first_token():
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    last = json.dumps({"id": "r1", "model": "m-2026", "choices": [], "usage": usage})
    streamed = stream(chunk(""), chunk("Pa"), chunk("ris"), chunk(finish="stop"), last, "[DONE]")
    assert streamed.done
    assert streamed.result(elapsed_s=9.0) == Reply(
        text="Paris",
        usage=Usage(prompt_tokens=12, completion_tokens=3),
        latency_s=0.6,
        first_token_s=0.2,
        finish_reason="stop",
        provider_model="m-2026",
        response_id="r1",
    )


def test_usage_counts_on_a_chunk_with_choices_too():
    streamed = stream(chunk("Paris", finish="stop", usage={"prompt_tokens": 12}), chunk(usage=None), "[DONE]")
    result = streamed.result(elapsed_s=1)
    assert result.usage.prompt_tokens == 12
    assert isinstance(result, Reply)
    assert result.finish_reason == "stop"


@pytest.mark.parametrize("events", [(), (chunk("Par"),), (chunk(""),)])
def test_a_stream_without_an_end_was_cut(events):
    result = stream(*events).result(elapsed_s=2.5)
    assert isinstance(result, Failure)
    assert (result.kind, result.latency_s) == (FailureKind.STREAM_CUT, 2.5)


@pytest.mark.parametrize("end", ["[DONE]", chunk(finish="stop")])
def test_either_sign_of_the_end_is_enough(end):
    assert isinstance(stream(chunk("Paris"), end).result(elapsed_s=1), Reply)


def test_an_error_in_mid_stream_cuts_it():
    broken = chunk("", finish="error", error={"message": "upstream died", "code": 502})
    streamed = stream(chunk("Par"), broken)
    assert streamed.failure is not None
    assert (streamed.failure.kind, streamed.failure.status_code) == (FailureKind.STREAM_CUT, 502)
    assert "upstream died" in streamed.failure.detail


def test_an_end_by_error_without_words_cuts_it():
    failure = stream(chunk("Par"), chunk(finish="error")).failure
    assert failure is not None
    assert failure.kind is FailureKind.STREAM_CUT


def test_an_error_before_any_text_is_of_its_own_kind():
    failure = stream(json.dumps({"error": {"message": "slow down", "code": 429}})).failure
    assert failure is not None
    assert (failure.kind, failure.status_code) == (FailureKind.RATE_LIMITED, 429)


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([chunk(finish="stop"), "[DONE]"], FailureKind.EMPTY),
        ([chunk("Par"), chunk(finish="content_filter"), "[DONE]"], FailureKind.REFUSED),
        ([json.dumps({"choices": [{"delta": {"refusal": "No."}}]}), "[DONE]"], FailureKind.REFUSED),
    ],
)
def test_a_finished_stream_is_judged_like_a_body(events, kind):
    result = stream(*events).result(elapsed_s=1)
    assert isinstance(result, Failure)
    assert result.kind is kind


def test_events_that_say_nothing_are_passed_over():
    odd = ["", " ", "null", "3", '{"choices": [{"index": 0, "delta": "x"}]}', '{"choices": [{"index": 1}]}']
    result = stream(*odd, chunk("Paris"), "[DONE]").result(elapsed_s=1)
    assert isinstance(result, Reply)
    assert result.text == "Paris"


def test_an_event_that_is_no_json_is_unreadable():
    with pytest.raises(UnreadablePayload):
        stream('{"choices": [')
