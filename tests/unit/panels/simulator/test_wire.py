from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.simulator.catalogue import CATALOGUE
from panels.simulator.model import GENERAL, SimulatedModel
from panels.simulator.wire import (
    Completion,
    UsageTold,
    broken_body,
    complete,
    completion_body,
    count_tokens,
    cut_text,
    error_body,
    models_body,
    stream_pieces,
)

MODEL = SimulatedModel(
    id="sim-x", price_in=Decimal("0.15"), price_out=Decimal("0.6"), skill={GENERAL: 1.0}, reasoning_tokens=10
)


def completion(
    text: str = "Paris",
    *,
    max_tokens: int = 100,
    refused: bool = False,
    usage_told: UsageTold = UsageTold.PROPERLY,
) -> Completion:
    messages = (("system", "Be brief."), ("user", "Capital of France?"))
    return complete(
        model=MODEL,
        text=text,
        messages=messages,
        max_tokens=max_tokens,
        completion_id="c1",
        created=5,
        refused=refused,
        usage_told=usage_told,
    )


def events(of: Completion, *, include_usage: bool) -> list[dict]:
    lines = b"".join(stream_pieces(of, include_usage=include_usage)).decode().split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line]


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_a_token_is_four_characters(text, tokens):
    assert count_tokens(text) == tokens


def test_usage_and_cost_add_up():
    body = json.loads(completion_body(completion()), parse_float=Decimal)
    assert body["usage"] == {
        "prompt_tokens": 16,
        "completion_tokens": 12,
        "total_tokens": 28,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 10},
        "cost": (16 * MODEL.price_in + 12 * MODEL.price_out) / 10**6,
    }


@pytest.mark.parametrize(
    ("max_tokens", "text", "reason", "tokens"),
    [(12, "Paris", "stop", 12), (11, "Pari", "length", 11), (10, "", "length", 10), (4, "", "length", 4)],
)
def test_no_more_than_max_tokens_come_out(max_tokens, text, reason, tokens):
    cut = completion(max_tokens=max_tokens)
    assert (cut.text, cut.finish_reason, cut.completion_tokens) == (text, reason, tokens)


@settings(max_examples=40, deadline=None)
@given(text=st.text())
def test_a_stream_holds_the_text_of_the_body(text):
    whole = completion(text, max_tokens=10**6)
    body = json.loads(completion_body(whole))
    chunks = events(whole, include_usage=False)
    assert body["choices"][0]["message"]["content"] == text
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text


@settings(deadline=None)
@given(text=st.text(alphabet="a b"))
def test_text_is_cut_into_at_most_eight_pieces(text):
    pieces = cut_text(text)
    assert "".join(pieces) == text
    assert len(pieces) <= 8


def test_every_chunk_but_the_last_has_no_usage():
    chunks = events(completion(), include_usage=True)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], 16)
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {("c1", 5)}
    assert all("usage" not in chunk for chunk in events(completion(), include_usage=False))


def test_usage_may_be_missing_everywhere():
    untold = completion(usage_told=UsageTold.NEVER)
    body = json.loads(completion_body(untold))
    assert (body["choices"][0]["message"]["content"], "usage" in body) == ("Paris", False)
    chunks = events(untold, include_usage=True)
    assert chunks == events(completion(), include_usage=False)


def test_usage_may_come_early_on_the_chunk_that_has_the_reason():
    early = completion(usage_told=UsageTold.EARLY)
    chunks, proper = events(early, include_usage=True), events(completion(), include_usage=True)
    assert completion_body(early) == completion_body(completion())
    assert chunks[:-1] == proper[:-2]
    assert chunks[-1] == proper[-2] | {"usage": proper[-1]["usage"]}
    assert events(early, include_usage=False) == events(completion(), include_usage=False)


def test_a_choice_may_break_off_with_an_error():
    body = json.loads(broken_body(completion("Paris is it"), message="gone", code="502"))
    (choice,) = body["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Paris", "error")
    assert choice["error"] == {"message": "gone", "type": "server_error", "param": None, "code": "502"}


def test_a_refusal_has_a_field_of_its_own():
    refused = completion("No.", refused=True)
    message = json.loads(completion_body(refused))["choices"][0]["message"]
    assert message == {"role": "assistant", "content": None, "refusal": "No."}
    chunks = events(refused, include_usage=False)
    assert "".join(chunk["choices"][0]["delta"].get("refusal", "") for chunk in chunks) == "No."
    assert not any("content" in chunk["choices"][0]["delta"] for chunk in chunks)


def test_errors_have_all_four_keys():
    assert json.loads(error_body(message="m", type="t")) == {
        "error": {"message": "m", "type": "t", "param": None, "code": None}
    }


def test_models_carry_prices_for_one_token_and_say_that_they_are_simulated():
    models = {model["id"]: model for model in json.loads(models_body(CATALOGUE, created=1))["data"]}
    assert set(models) == set(CATALOGUE)
    assert models["sim-atlas-small"]["pricing"] == {"prompt": "0.00000015", "completion": "0.0000006"}
    assert models["chaos-price"]["pricing"] == {"prompt": "-1", "completion": "-1"}
    assert all(model["simulated"] is True for model in models.values())
