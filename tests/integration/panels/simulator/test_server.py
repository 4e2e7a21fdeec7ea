"""The simulator over a real socket, judged by the official client and by our own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import openai
import pytest

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.exchange import HostedClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import Failure, Message, ModelRequest, Reply, Sampling
from panels.simulator.answer_key import KeyItem, digest_user_messages
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.model import GENERAL, SimulatedModel
from tests.simulator_server import SimulatorServer, serve_simulator

REPOSITORY = Path(__file__).resolve().parents[4]
ITEM = KeyItem(id="q1", topic="t", reference="The capital of France is Paris.", wrong=("Lyon",))
PROMPT = "Capital of France?"


def model(name: str, **changes) -> SimulatedModel:
    values = {"price_in": Decimal(1), "price_out": Decimal(2), "unreadable_rate": 0.0, "verbosity": 0.0}
    return SimulatedModel(id=name, skill={GENERAL: 1.0}, **{**values, **changes})


@pytest.fixture(scope="module")
def server():
    key = {digest_user_messages([("user", PROMPT)]): ITEM}
    with serve_simulator(answer_key=key, catalogue={"sim-x": model("sim-x"), **CATALOGUE}) as started:
        yield started


@pytest.fixture
def official(server: SimulatorServer):
    with openai.OpenAI(base_url=server.base_url, api_key="unused", max_retries=0) as client:
        yield client


def ask_official(client: openai.OpenAI, *, name: str = "sim-x", **settings):
    return client.chat.completions.create(model=name, messages=[{"role": "user", "content": PROMPT}], **settings)


def test_the_official_client_reads_a_completion(official):
    completion = ask_official(official)
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason) == (ITEM.reference, "stop")
    assert (choice.message.role, choice.message.refusal, completion.object) == ("assistant", None, "chat.completion")
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens_details.reasoning_tokens == 0


def test_the_official_client_reads_a_stream_with_usage(official):
    chunks = list(ask_official(official, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ITEM.reference
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert len({(chunk.id, chunk.created, chunk.object) for chunk in chunks}) == 1


def test_the_official_client_reads_a_stream_without_usage(official):
    chunks = list(ask_official(official, stream=True))
    assert all(chunk.choices for chunk in chunks)


def test_the_official_client_lists_the_models(official):
    assert {entry.id for entry in official.models.list()} >= set(CATALOGUE)


@pytest.mark.parametrize(
    ("settings", "error", "code", "param"),
    [
        ({"name": "sim-unheard-of"}, openai.NotFoundError, "model_not_found", None),
        ({"max_tokens": 0}, openai.BadRequestError, None, "max_tokens"),
        ({"name": "chaos-429"}, openai.RateLimitError, "rate_limit_exceeded", None),
        ({"name": "chaos-500"}, openai.InternalServerError, None, None),
        ({"name": "chaos-401"}, openai.AuthenticationError, "invalid_api_key", None),
        ({"name": "chaos-402"}, openai.APIStatusError, "402", None),
        ({"name": "chaos-retired"}, openai.NotFoundError, "model_not_found", "model"),
    ],
)
def test_the_official_client_reads_errors(official, settings, error, code, param):
    with pytest.raises(error) as caught:
        ask_official(official, **settings)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert set(caught.value.body) == {"message", "type", "param", "code"}


CLIENTS = [OpenAIClient, AnthropicClient]


async def ask_ours(
    server: SimulatorServer, name: str, *, stream: bool, client_class: type[HostedClient]
) -> Reply | Failure:
    request = ModelRequest(model=name, messages=(Message(role="user", content=PROMPT),), sampling=Sampling())
    async with client_class(base_url=server.base_url, api_key="k", concurrency=1, stream=stream) as client:
        return await client.complete(request)


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_our_clients_read_the_same_reply_either_way(server, stream, client_class):
    reply = await ask_ours(server, "sim-x", stream=stream, client_class=client_class)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason, reply.provider_model) == (ITEM.reference, "stop", "sim-x")
    assert (reply.first_token_s is not None) is stream
    tokens_in, tokens_out = reply.usage.prompt_tokens, reply.usage.completion_tokens
    cost = server.ledger.as_json()["latest"][-1]["cost_nanousd"]
    assert 1000 * (tokens_in or 0) + 2000 * (tokens_out or 0) == cost
    # A message says nothing of money.
    assert reply.usage.reported_cost_nanousd == (cost if client_class is OpenAIClient else None)


async def test_requests_are_held_at_once_up_to_the_concurrency_of_the_client():
    with serve_simulator(latency_ms=50) as server:
        request = ModelRequest(
            model="sim-beacon-pro", messages=(Message(role="user", content="Hi"),), sampling=Sampling()
        )
        async with OpenAIClient(base_url=server.base_url, api_key=None, concurrency=12) as client:
            replies = await asyncio.gather(*(client.complete(request) for _ in range(36)))
    assert {type(reply) for reply in replies} == {Reply}
    assert (server.ledger.received, server.ledger.peak_in_flight) == (36, 12)
    assert all((reply.latency_s or 0) >= 0.05 for reply in replies)


@pytest.mark.processes
def test_it_runs_as_a_process_of_its_own_and_ends_when_told_to(tmp_path, free_port):
    answers = tmp_path / "support.jsonl"
    answers.write_text(json.dumps({"id": "1", "prompt": PROMPT, "reference": "Paris"}))
    command = [sys.executable, "-m", "panels.simulator", "--port", str(free_port), "--answers", str(answers)]
    with subprocess.Popen([*command, "--latency-ms", "0"], cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_for(f"http://127.0.0.1:{free_port}/healthz") == {"status": "ok", "simulated": True}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) in (0, -signal.SIGTERM)


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(url: str) -> object:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1) as response:
                return json.load(response)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
