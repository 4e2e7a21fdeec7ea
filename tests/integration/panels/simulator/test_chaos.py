"""Every evil of the chaos kit over a real socket, met by our own clients: each is told for what it is, and in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.exchange import HostedClient
from panels.fusion.clients.listing import list_models
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import Failure, FailureKind, Message, ModelRequest, Reply, Sampling, Usage
from panels.simulator.answer_key import KeyItem, digest_user_messages
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chaos import CHAOS_MODELS
from panels.simulator.model import GENERAL, HOLDING_FAULTS
from tests.simulator_server import SimulatorServer, serve_simulator

CLIENTS = [OpenAIClient, AnthropicClient]
PROMPT = "Capital of France?"
ANSWER = "The capital of France is Paris."
FIRST_BYTE_S = 0.3
TOTAL_S = 0.6
SLOW_S = 0.1
NUMBERS = count(1)

SERVER, CUT, TIMEOUT = FailureKind.SERVER, FailureKind.STREAM_CUT, FailureKind.TIMEOUT
MALFORMED, CONNECTION = FailureKind.MALFORMED, FailureKind.CONNECTION
# Model to the kind of failure of a reply in one piece, and of a stream; None where the answer comes all the same.
OUTCOMES: dict[str, tuple[FailureKind | None, FailureKind | None]] = {
    "chaos-429": (FailureKind.RATE_LIMITED, FailureKind.RATE_LIMITED),
    "chaos-429-once": (FailureKind.RATE_LIMITED, FailureKind.RATE_LIMITED),
    "chaos-429-date": (FailureKind.RATE_LIMITED, FailureKind.RATE_LIMITED),
    "chaos-401": (FailureKind.AUTHENTICATION, FailureKind.AUTHENTICATION),
    "chaos-402": (FailureKind.PAYMENT, FailureKind.PAYMENT),
    "chaos-retired": (FailureKind.INVALID_MODEL, FailureKind.INVALID_MODEL),
    "chaos-500": (SERVER, SERVER),
    "chaos-500-once": (SERVER, SERVER),
    "chaos-529": (SERVER, SERVER),
    "chaos-html": (SERVER, SERVER),
    "chaos-html-200": (MALFORMED, MALFORMED),
    "chaos-error-body": (SERVER, SERVER),
    "chaos-error-chunk": (SERVER, CUT),
    "chaos-truncated-json": (MALFORMED, CUT),
    "chaos-empty": (FailureKind.EMPTY, FailureKind.EMPTY),
    "chaos-refusal": (FailureKind.REFUSED, FailureKind.REFUSED),
    "chaos-no-usage": (None, None),
    "chaos-early-usage": (None, None),
    "chaos-keepalive": (TIMEOUT, TIMEOUT),
    "chaos-keepalive-late": (None, None),
    "chaos-slow-first-byte": (None, None),
    "chaos-hang": (TIMEOUT, TIMEOUT),
    "chaos-reset": (CONNECTION, CONNECTION),
    "chaos-reset-once": (CONNECTION, CONNECTION),
    "chaos-reset-midway": (CUT, CUT),
    "chaos-endless": (TIMEOUT, TIMEOUT),
    "chaos-flood": (MALFORMED, MALFORMED),
    "chaos-last-role": (None, None),
    "chaos-price": (None, None),
    "chaos-elsewhere": (None, None),
    "chaos-nowhere": (None, None),
    "chaos-poison": (None, None),
    "chaos-analysis-once": (None, None),
    "chaos-analysis": (None, None),
}
RECOVERING = [name for name in OUTCOMES if CATALOGUE[name].recovers_after]


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    # Right always, and slow for no longer than the test has to be.
    kit = {
        model.id: replace(model, skill={GENERAL: 1.0}, verbosity=0.0, hang_s=SLOW_S if model.hang_s < 60 else 30.0)
        for model in CHAOS_MODELS
    }
    item = KeyItem(id="q1", topic="t", reference=ANSWER, wrong=("Lyon",))
    with serve_simulator(answer_key={digest_user_messages([("user", PROMPT)]): item}, catalogue=kit) as started:
        yield started


def request(name: str, *, last: str = "user") -> ModelRequest:
    """A request like no other, since what a model suffered is remembered by request."""
    messages = [Message(role="system", content=f"Request {next(NUMBERS)}."), Message(role="user", content=PROMPT)]
    messages += [] if last == "user" else [Message(role=last, content="It is")]
    return ModelRequest(model=name, messages=tuple(messages), sampling=Sampling(max_tokens=500))


async def ask(
    server: SimulatorServer, client_class: type[HostedClient], *requests: ModelRequest, stream: bool = False
) -> list[Reply | Failure]:
    """The results one after the other over one client, with no task left behind."""
    async with client_class(
        base_url=server.base_url,
        api_key="k",
        concurrency=1,
        first_byte_timeout_s=FIRST_BYTE_S,
        total_timeout_s=TOTAL_S,
        stream=stream,
    ) as client:
        results = [await client.complete(wanted) for wanted in requests]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return results


def test_the_whole_kit_is_tried():
    assert list(OUTCOMES) == [model.id for model in CHAOS_MODELS]


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", OUTCOMES)
async def test_every_evil_is_told_for_what_it_is_and_in_time(server, name, stream, client_class):
    wanted = OUTCOMES[name][stream]
    started = time.monotonic()
    (result,) = await ask(server, client_class, request(name), stream=stream)
    assert time.monotonic() - started < TOTAL_S + 0.5
    if wanted is None:
        assert isinstance(result, Reply), result
        assert result.text.startswith(ANSWER)
    else:
        assert isinstance(result, Failure)
        assert result.kind is wanted
        assert result.detail


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_is_none_the_worse_for_any_evil(server, stream, client_class):
    tried = [name for name, kinds in OUTCOMES.items() if kinds[stream] is not TIMEOUT and name not in RECOVERING]
    requests = [request(name) for evil in tried for name in (evil, "chaos-price")]
    results = await ask(server, client_class, *requests, stream=stream)
    assert all(isinstance(result, Reply) for result in results[1::2])


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize("name", RECOVERING)
async def test_what_happens_once_is_over_at_the_second_try(server, name, client_class):
    first, second, again = await ask(server, client_class, *[request(name)] * 3)
    assert isinstance(first, Failure)
    assert isinstance(second, Reply)
    assert isinstance(again, Failure)
    if first.kind is FailureKind.RATE_LIMITED:
        assert first.retry_after_s is not None
        assert 0 < first.retry_after_s <= 2


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_is_unknown_where_it_is_missing_and_read_where_it_is_early(server, stream, client_class):
    names = ("chaos-price", "chaos-no-usage", "chaos-early-usage")
    proper, untold, early = await ask(server, client_class, *map(request, names), stream=stream)
    assert untold.usage == Usage()
    assert early.usage == proper.usage
    assert (early.usage.prompt_tokens or 0) > 0


@pytest.mark.parametrize("client_class", CLIENTS)
async def test_the_last_word_has_to_be_the_users(server, client_class):
    (result,) = await ask(server, client_class, request("chaos-last-role", last="assistant"))
    assert isinstance(result, Failure)
    assert (result.kind, result.status_code) == (FailureKind.REQUEST, 400)


def test_a_price_of_minus_one_is_unknown_and_the_kit_is_listed(server):
    listed = {model.name: model for model in list_models(wire=OpenAIClient.wire, base_url=server.base_url, api_key="k")}
    assert set(listed) >= set(OUTCOMES)
    assert [name for name, model in listed.items() if model.price is None] == ["chaos-price"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "name", [model.id for model in CHAOS_MODELS if HOLDING_FAULTS & model.faults.keys() and model.hang_s > 60]
)
async def test_the_simulator_lets_go_when_its_client_leaves(server, name, stream):
    await ask(server, OpenAIClient, request(name), stream=stream)
    async with asyncio.timeout(5):
        while server.ledger.in_flight:  # noqa: ASYNC110 - it is counted in another thread
            await asyncio.sleep(0.01)


async def test_the_server_takes_no_evil_for_a_mistake_of_the_simulator(server):
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    records: list[str] = []
    kept, logger = Kept(), logging.getLogger("uvicorn.error")
    before = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.WARNING)
    try:
        await ask(server, OpenAIClient, *map(request, OUTCOMES))
        await ask(server, OpenAIClient, *map(request, OUTCOMES), stream=True)
    finally:
        logger.setLevel(before)
        logger.removeHandler(kept)
    assert records == []
