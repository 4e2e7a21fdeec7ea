"""The evils that take their time or break the connection, without a socket and without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from panels.simulator import speaking
from panels.simulator.behaviour import Conduct
from panels.simulator.chat_request import ChatRequest
from panels.simulator.dialects import ANTHROPIC, OPENAI, Dialect
from panels.simulator.model import GENERAL, Fault, SimulatedModel
from panels.simulator.speaking import Speaker
from panels.simulator.wire import complete

DIALECTS = [OPENAI, ANTHROPIC]
TEXT = "The capital of France is Paris."
TORN = "torn"


class Listener:
    """A client that stays for so many waits; what it hears, and for how long it was kept waiting."""

    def __init__(self, *, stays: int) -> None:
        self.stays = stays
        self.heard: list[Any] = []
        self.waits: list[float] = []

    async def send(self, message: Any) -> None:
        self.heard.append(message)

    async def receive(self) -> dict[str, object]:
        raise AssertionError

    async def is_left_within(self, receive: object, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) > self.stays

    async def reset(self, receive: object, send: object) -> None:
        self.heard.append(TORN)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.heard[1:] if message != TORN)

    @property
    def is_complete(self) -> bool:
        return self.heard[-1] != TORN and not self.heard[-1].get("more_body")


@pytest.fixture
def say(monkeypatch):
    async def say(
        fault: Fault, *, dialect: Dialect = OPENAI, stream: bool = False, stays: int = 10_000, **changes: Any
    ) -> Listener:
        listener = Listener(stays=stays)
        monkeypatch.setattr(speaking, "is_left_within", listener.is_left_within)
        monkeypatch.setattr(speaking, "reset_connection", listener.reset)
        await speaker(fault, listener, dialect=dialect, stream=stream, **changes).say()
        return listener

    return say


def speaker(fault: Fault, listener: Listener, *, dialect: Dialect, stream: bool, **changes: Any) -> Speaker:
    values: dict[str, Any] = {"price_in": 1, "price_out": 1, "hang_s": 7.0, **changes}
    model = SimulatedModel(id="sim-x", skill={GENERAL: 1.0}, **values)
    request = ChatRequest(model="sim-x", messages=(("user", "Capital of France?"),), stream=stream)
    completion = complete(
        model=model, text=TEXT, messages=request.messages, max_tokens=100, completion_id="c1", created=5
    )
    return Speaker(
        dialect=dialect,
        model=model,
        request=request,
        conduct=Conduct(text=TEXT, latency_s=0.0, fault=fault),
        completion=completion,
        receive=listener.receive,
        send=listener.send,
    )


Say = Callable[..., Any]


def test_the_date_of_a_retry_lies_ahead(monkeypatch):
    listener = Listener(stays=0)
    now = 1_800_000_000.9
    monkeypatch.setattr("time.time", lambda: now)
    dated = speaker(Fault.RATE_LIMITED, listener, dialect=OPENAI, stream=False, retry_after_date=True)
    moment = parsedate_to_datetime(dated._retry_after().decode())
    assert 1 <= (moment - datetime.fromtimestamp(now, UTC)).total_seconds() <= 2
    plain = speaker(Fault.RATE_LIMITED, listener, dialect=OPENAI, stream=False)
    assert plain._retry_after() == b"1"


@pytest.mark.parametrize(("fault", "status"), [(Fault.HANG, 504), (Fault.SLOW_FIRST_BYTE, 200)])
async def test_a_silent_model_says_nothing_until_its_time_is_over(say: Say, fault, status):
    listener = await say(fault)
    assert (listener.waits, listener.heard[0]["status"]) == ([7.0], status)
    assert (await say(fault, stays=0)).heard == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_signs_of_life_may_be_all_there_is(say: Say, dialect, stream):
    sign = dialect.keepalive if stream else b"\n"
    alone = await say(Fault.KEEPALIVE_ONLY, dialect=dialect, stream=stream)
    assert (alone.body, sum(alone.waits), alone.is_complete) == (sign * 14, 7.0, True)
    late = await say(Fault.KEEPALIVE, dialect=dialect, stream=stream)
    assert late.body.startswith(sign * 14)
    assert late.is_complete
    answer = late.body.removeprefix(sign * 14)
    assert answer.endswith(dialect.stream_end) if stream else b"Paris" in json.dumps(json.loads(answer)).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "word", "seconds"), [(Fault.ENDLESS, b"and-so-on-", 7.0), (Fault.FLOOD, b"x" * 2**16, 0.0)]
)
async def test_a_reply_without_end_ends_by_itself_only_after_long(say: Say, fault, word, seconds, dialect, stream):
    listener = await say(fault, dialect=dialect, stream=stream)
    assert sum(listener.waits) == pytest.approx(seconds)
    assert listener.body.count(word) == len(listener.waits) > 100
    assert listener.is_complete
    # An end of the connection, not of the reply.
    assert dialect.stream_end not in listener.body
    assert b'stop_reason":"end_turn' not in listener.body


@pytest.mark.parametrize("fault", [Fault.ENDLESS, Fault.FLOOD, Fault.KEEPALIVE, Fault.KEEPALIVE_ONLY])
async def test_nobody_is_talked_to_who_left(say: Say, fault):
    listener = await say(fault, stays=2)
    assert (len(listener.waits), listener.is_complete) == (3, False)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_breaks_before_the_reply_or_in_its_middle(say: Say, dialect, stream):
    assert (await say(Fault.RESET, dialect=dialect, stream=stream)).heard == [TORN]
    midway = await say(Fault.RESET_MIDWAY, dialect=dialect, stream=stream)
    assert midway.heard[-1] == TORN
    assert b"The" in midway.body or not stream
    assert dialect.stream_end not in midway.body
    assert len(midway.body) > 50


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_body_of_an_error_is_one_piece_even_where_a_stream_was_wanted(say: Say, dialect):
    listener = await say(Fault.ERROR_BODY, dialect=dialect, stream=True)
    assert json.loads(listener.body)["error"]["message"] == "Provider returned error (simulated)."
