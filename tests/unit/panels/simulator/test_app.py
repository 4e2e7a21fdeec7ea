"""The application called as a server would, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from panels.simulator.answer_key import digest_user_messages
from panels.simulator.app import Simulator
from panels.simulator.chat import Settings
from panels.simulator.model import GENERAL, Fault, SimulatedModel
from panels.simulator.plumbing import MAX_BODY_BYTES
from tests.unit.panels.simulator.briefs import CITY, arbiter_messages

CITY_PROMPT = "Capital of France?"


def model(name: str = "sim-x", **changes) -> SimulatedModel:
    values = {"price_in": Decimal(1), "price_out": Decimal(1), "latency_median_s": 0.0, "hang_s": 0.0}
    return SimulatedModel(id=name, skill={GENERAL: 1.0}, **{**values, **changes})


def simulator(*models: SimulatedModel, **settings) -> Simulator:
    catalogue = {entry.id: entry for entry in models or (model(),)}
    return Simulator(answer_key={}, catalogue=catalogue, settings=Settings(**settings))


async def call(
    app: Simulator, path: str, *, method: str = "GET", body: Sequence[bytes] = (b"",)
) -> tuple[int, dict[bytes, bytes], bytes]:
    parts = list(body)
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        if not parts:
            # A client that waits has no more to say.
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "method": method}, receive, send)
    content = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), content


async def ask(app: Simulator, **changes) -> tuple[int, dict[bytes, bytes], bytes]:
    body = {"model": "sim-x", "messages": [{"role": "user", "content": "Options: red, green"}], **changes}
    return await call(app, "/v1/chat/completions", method="POST", body=[json.dumps(body).encode()])


async def test_health_and_models_are_answered():
    app = simulator(model("sim-a"), model("sim-b"))
    assert (await call(app, "/healthz"))[0] == 200
    status, headers, body = await call(app, "/v1/models")
    assert (status, headers[b"x-simulated"]) == (200, b"true")
    assert [entry["id"] for entry in json.loads(body)["data"]] == ["sim-a", "sim-b"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_names_the_region_that_its_model_says_it_is_in(stream):
    app = simulator(model("sim-x"), replace(model("sim-lost"), region=""))
    _, headers, _ = await ask(app, stream=stream)
    assert headers[b"x-region"] == b"eu-central"
    _, headers, _ = await ask(app, model="sim-lost", stream=stream)
    assert b"x-region" not in headers


async def test_a_request_in_pieces_is_put_together():
    body = json.dumps({"model": "sim-x", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    status, _, _ = await call(
        simulator(), "/v1/chat/completions", method="POST", body=[body[:9], body[9:20], body[20:]]
    )
    assert status == 200


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [("/v2/models", "GET", 404, "unknown_url"), ("/v1/models", "POST", 405, "method_not_supported")],
)
async def test_a_route_that_is_not_there_is_an_error_in_the_usual_shape(path, method, status, code):
    got, _, body = await call(simulator(), path, method=method)
    error = json.loads(body)["error"]
    assert (got, error["code"], set(error)) == (status, code, {"message", "type", "param", "code"})


async def test_what_is_not_http_is_refused():
    with pytest.raises(ValueError, match="websocket"):
        await simulator()({"type": "websocket"}, None, None)  # type: ignore[arg-type]


async def test_a_body_that_is_too_large_is_refused():
    body = [b"x" * MAX_BODY_BYTES, b"x"]
    status, _, _ = await call(simulator(), "/v1/chat/completions", method="POST", body=body)
    assert status == 413


async def test_a_model_may_insist_on_the_last_word_being_the_users():
    app = simulator(model(last_message_must_be_user=True))
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "He"}]
    status, _, body = await ask(app, messages=messages)
    assert (status, json.loads(body)["error"]["param"]) == (400, "messages")
    assert (await ask(app))[0] == 200


async def message(app: Simulator, **changes) -> tuple[int, dict[bytes, bytes], bytes]:
    body = {"model": "sim-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Options: red, green"}]}
    return await call(app, "/v1/messages", method="POST", body=[json.dumps(body | changes).encode()])


@pytest.mark.parametrize(
    ("fault", "status", "in_completions", "in_messages"),
    [
        (Fault.RATE_LIMITED, 429, b"rate_limit_exceeded", b'{"type":"error","error":{"type":"rate_limit_error"'),
        (Fault.UNAUTHORISED, 401, b"invalid_api_key", b"authentication_error"),
        (Fault.PAYMENT_REQUIRED, 402, b"Insufficient credits", b"billing_error"),
        (Fault.RETIRED, 404, b'"param":"model","code":"model_not_found"', b"not_found_error"),
        (Fault.SERVER_ERROR, 500, b"server_error", b"api_error"),
        (Fault.OVERLOADED, 529, b"overloaded_error", b"overloaded_error"),
        (Fault.HANG, 504, b"in time", b"timeout_error"),
        (Fault.HTML_PAGE, 502, b"<!DOCTYPE html>", b"<!DOCTYPE html>"),
        (Fault.HTML_REPLY, 200, b"<!DOCTYPE html>", b"<!DOCTYPE html>"),
        (Fault.ERROR_CHUNK, 200, b'"finish_reason":"error"', b'{"type":"error","error":{"type":"api_error"'),
        (Fault.ERROR_BODY, 200, b'{"error":', b'{"type":"error","error":{"type":"api_error"'),
        (Fault.EMPTY, 200, b'"content":""', b'"content":[]'),
        (Fault.REFUSED, 200, b'"content":null,"refusal":"I can', b'"stop_reason":"refusal"'),
    ],
)
async def test_a_fault_looks_like_a_providers(fault, status, in_completions, in_messages):
    app = simulator(model(faults={fault: 1.0}))
    for send, words in ((ask, in_completions), (message, in_messages)):
        got, headers, body = await send(app)
        assert got == status
        assert words in body
        assert (headers.get(b"retry-after") == b"1") is (fault is Fault.RATE_LIMITED)


@pytest.mark.parametrize(
    ("changes", "status", "type"),
    [
        ({"model": "sim-unheard-of"}, 404, "not_found_error"),
        ({"seed": 3}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": "x" * MAX_BODY_BYTES}]}, 413, "request_too_large"),
    ],
)
async def test_a_refused_message_is_told_in_its_own_shape(changes, status, type):
    body = {"model": "sim-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **changes}
    raw = json.dumps(body).encode()
    got, _, answer = await call(simulator(), "/v1/messages", method="POST", body=[raw[:9], raw[9:]])
    error = json.loads(answer)
    assert (got, error["type"], error["error"]["type"]) == (status, "error", type)


async def test_a_stream_of_messages_ends_with_its_end_unless_a_fault_cuts_it():
    whole = (await message(simulator(), stream=True))[2]
    cut = (await message(simulator(model(faults={Fault.MALFORMED: 1.0})), stream=True))[2]
    broken = (await message(simulator(model(faults={Fault.ERROR_CHUNK: 1.0})), stream=True))[2]
    assert whole.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert b"message_stop" not in cut + broken
    assert b"event: error\n" in broken


async def test_both_wire_formats_say_the_same_and_share_one_ledger():
    app = simulator()
    choice = json.loads((await ask(app, max_tokens=9))[2])["choices"][0]
    content = json.loads((await message(app))[2])["content"]
    assert [block["text"] for block in content] == [choice["message"]["content"]]
    first, second = json.loads((await call(app, "/ledger"))[2])["latest"]
    assert first == second


async def test_a_malformed_body_is_half_of_one():
    _, _, body = await ask(simulator(model(faults={Fault.MALFORMED: 1.0})))
    with pytest.raises(ValueError, match=r"."):
        json.loads(body)


async def test_a_stream_ends_with_its_end_unless_a_fault_cuts_it():
    whole = (await ask(simulator(), stream=True))[2]
    cut = (await ask(simulator(model(faults={Fault.MALFORMED: 1.0})), stream=True))[2]
    broken = (await ask(simulator(model(faults={Fault.ERROR_CHUNK: 1.0})), stream=True))[2]
    assert whole.endswith(b"data: [DONE]\n\n")
    assert b"[DONE]" not in cut
    assert b'"finish_reason":"stop"' not in cut
    assert b'"finish_reason":"error"' in broken


async def test_faults_can_be_switched_off():
    app = simulator(model(faults={Fault.SERVER_ERROR: 1.0}), faults=False)
    assert (await ask(app))[0] == 200


async def test_trying_again_helps_and_a_second_run_repeats_the_first():
    app = simulator(model(faults={Fault.SERVER_ERROR: 0.5}))

    async def run() -> list[int]:
        tries = []
        for number in range(40):
            while True:
                status, _, _ = await ask(app, seed=number)
                tries.append(status)
                if status == 200:
                    break
        return tries

    first = await run()
    assert set(first) == {200, 500}
    assert await run() == first


async def test_a_model_may_recover_from_a_fault_for_each_request_anew():
    app = simulator(model(faults={Fault.RATE_LIMITED: 1.0}, recovers_after=2))
    statuses = [(await ask(app, seed=seed))[0] for seed in (1, 1, 2, 1, 2, 2, 1)]
    assert statuses == [429, 429, 429, 200, 429, 200, 429]


async def test_a_fault_that_lets_the_answer_through_is_no_failed_attempt():
    app = simulator(model(faults={Fault.NO_USAGE: 0.5}))

    async def run() -> list[bool]:
        return [b"usage" in (await ask(app, seed=number))[2] for number in range(30)]

    first = await run()
    assert set(first) == {True, False}
    assert await run() == first


async def test_what_is_remembered_of_faults_is_bounded(monkeypatch):
    monkeypatch.setattr("panels.simulator.chat._MAX_REMEMBERED", 3)
    app = simulator(model(faults={Fault.SERVER_ERROR: 1.0}))
    for number in range(10):
        await ask(app, seed=number)
    assert len(app._chat._suffered) == 3


async def test_latency_is_waited_for_in_full_and_a_stream_starts_with_its_share(monkeypatch):
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    app = simulator(model(first_token_share=0.25), latency_s=2.0)
    await ask(app)
    assert waited == [2.0]
    waited.clear()
    await ask(app, stream=True, stream_options={"include_usage": True})
    assert waited[0] == 0.5
    assert sum(waited) == pytest.approx(2.0)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_an_arbiter_is_answered_in_its_form_and_the_ledger_knows_whose_question_it_was(path):
    asked = (("system", "Be brief."), ("user", CITY_PROMPT))
    key = {digest_user_messages(asked): CITY}
    app = Simulator(answer_key=key, catalogue={"sim-x": model(judging=1.0, bad_analysis_rate=0.0)})
    written = f"[system]\nBe brief.\n\n[user]\n{CITY_PROMPT}"
    (_, system), (_, user) = arbiter_messages("Lyon", "Paris", question=written)
    messages = [{"role": "user", "content": user}]
    outside = {"system": system} if path == "/v1/messages" else {}
    inside = [] if outside else [{"role": "system", "content": system}]
    body = {"model": "sim-x", "max_tokens": 999, "messages": [*inside, *messages], **outside}
    _, _, answer = await call(app, path, method="POST", body=[json.dumps(body).encode()])
    assert b"supported" in answer
    (entry,) = json.loads((await call(app, "/ledger"))[2])["latest"]
    assert (entry["task"], entry["item_id"], entry["right"]) == ("verification", "q", True)
    assert entry["key"] == digest_user_messages(asked).hex()


async def test_the_ledger_tells_what_was_asked_and_is_cleared():
    app = simulator()
    await ask(app)
    await ask(app, model="sim-unheard-of")
    told = json.loads((await call(app, "/ledger"))[2])
    assert (told["received"], told["in_flight"], told["counts"]) == (2, 0, {"sim-x": {"ok": 1}})
    (entry,) = told["latest"]
    assert (entry["model"], entry["item_id"], entry["task"], entry["stream"]) == ("sim-x", None, None, False)
    assert entry["cost_nanousd"] == 1000 * (entry["prompt_tokens"] + entry["completion_tokens"])
    cleared = json.loads((await call(app, "/ledger", method="DELETE"))[2])
    assert (cleared["received"], cleared["latest"]) == (0, [])
