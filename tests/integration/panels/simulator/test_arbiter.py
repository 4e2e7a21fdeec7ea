"""Simulated members and arbiters under the real engine, over a real socket: prompts, fences and quotes meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from panels.fusion.arbiter import ArbiterDesk
from panels.fusion.arbitration import Finding, Synthesis, Verification
from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.exchange import HostedClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.fuse import fuse
from panels.fusion.outcomes import Fused
from panels.fusion.types import (
    AnswerKind,
    Arbiter,
    ArbiterWhen,
    Failure,
    Member,
    Message,
    ModelRequest,
    Panel,
    Question,
    Reply,
    Sampling,
    Stage,
    StrategyName,
)
from panels.simulator.answer_key import load_answer_key
from tests.simulator_server import SimulatorServer, serve_simulator

SAMPLE = Path(__file__).resolve().parents[4] / "evaluation" / "sample"
SUMMARIES, SUPPORT = SAMPLE / "content_summary.jsonl", SAMPLE / "customer_support.jsonl"
CLIENTS = [OpenAIClient, AnthropicClient]
VERIFICATION, SYNTHESIS = StrategyName.VERIFICATION, StrategyName.SYNTHESIS
MEMBERS = ("sim-beacon-pro", "sim-cobalt-medium", "sim-atlas-large")


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with serve_simulator(answer_key=load_answer_key([SUMMARIES, SUPPORT])) as started:
        yield started


def read_rows(path: Path, *, first: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[:first]]


def question_of(row: dict[str, Any]) -> Question:
    return Question(
        item_id=row["id"],
        messages=tuple(Message(**message) for message in row["prompt"]),
        kind=AnswerKind.LABEL if "choices" in row else AnswerKind.TEXT,
        choices=tuple(row.get("choices", ())),
        evidence=row.get("context", ""),
    )


def panel_of(strategy: StrategyName, *, members: tuple[str, ...] = MEMBERS, arbiter: str) -> Panel:
    seats = tuple(Member(model=name, sampling=Sampling(max_tokens=300)) for name in members)
    return Panel(
        strategy=strategy,
        stages=(Stage(members=seats),),
        arbiter=Arbiter(model=arbiter, prompt=f"{strategy.value}-1", when=ArbiterWhen.ALWAYS),
    )


async def fuse_rows(
    server: SimulatorServer, rows: list[dict[str, Any]], panel: Panel, client_class: type[HostedClient] = OpenAIClient
) -> list[Fused]:
    async with client_class(base_url=server.base_url, api_key="k", concurrency=1) as client:

        async def ask(*, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
            return await client.complete(
                ModelRequest(model=member.model, messages=question.messages, sampling=member.sampling)
            )

        async def ask_arbiter(*, question: Question, request: ModelRequest, attempt: int) -> Reply | Failure:
            return await client.complete(request)

        desk = ArbiterDesk(ask=ask_arbiter, secret=b"not guessed by any model")
        return [await fuse(question=question_of(row), panel=panel, ask=ask, arbiter=desk) for row in rows]


def analysis_of(fused: Fused) -> Verification | Synthesis | None:
    return fused.arbitration.analysis if fused.arbitration else None


def states_all(row: dict[str, Any], text: str) -> bool:
    facts = row["meta"]["facts"]
    return all(fact["sentence"] in text and fact["wrong"] not in text for fact in facts)


@pytest.mark.parametrize("client_class", CLIENTS)
async def test_an_arbiter_verifies_with_spans_that_really_stand_there(server, client_class):
    rows = read_rows(SUMMARIES, first=12)
    fused = await fuse_rows(server, rows, panel_of(VERIFICATION, arbiter="sim-gauge-arbiter"), client_class)
    found = [analysis for answer in fused if isinstance(analysis := analysis_of(answer), Verification)]
    assert len(found) == len(rows)
    claims = [claim for analysis in found for claim in analysis.claims]
    assert {claim.finding for claim in claims} >= {Finding.SUPPORTED, Finding.CONTRADICTED}
    assert all(claim.quote_found for claim in claims if claim.finding is not Finding.NOT_FOUND)
    assert all(mark.quote_found for claim in claims for mark in claim.marks if mark.quote)


@pytest.mark.parametrize("client_class", CLIENTS)
async def test_an_arbiter_synthesises_a_better_answer_than_its_members(server, client_class):
    rows = read_rows(SUMMARIES, first=60)
    fused = await fuse_rows(server, rows, panel_of(SYNTHESIS, arbiter="sim-gauge-arbiter"), client_class)
    right = sum(states_all(row, answer.final.text) for row, answer in zip(rows, fused, strict=True) if answer.final)
    best = max(
        sum(states_all(row, answer.calls[seat].ballot.text) for row, answer in zip(rows, fused, strict=True))
        for seat in range(len(MEMBERS))
    )
    assert right > best
    assert any(isinstance(analysis := analysis_of(answer), Synthesis) and analysis.contradictions for answer in fused)


async def test_an_arbiter_decides_between_labels(server):
    rows = read_rows(SUPPORT, first=60)
    fused = await fuse_rows(server, rows, panel_of(SYNTHESIS, arbiter="sim-gauge-arbiter"))
    by_vote = [
        answer.winner is not None and answer.winner.value == row["reference"]
        for row, answer in zip(rows, fused, strict=True)
    ]
    by_arbiter = [answer.value == row["reference"] for row, answer in zip(rows, fused, strict=True)]
    assert sum(by_arbiter) > sum(by_vote)


@pytest.mark.parametrize("strategy", [VERIFICATION, SYNTHESIS])
async def test_a_poisoned_member_gives_no_orders(server, strategy):
    rows = read_rows(SUMMARIES, first=12)
    members = (*MEMBERS, "chaos-poison")
    fused = await fuse_rows(server, rows, panel_of(strategy, members=members, arbiter="sim-gauge-arbiter"))
    assert all(analysis_of(answer) for answer in fused)
    words = json.dumps([answer.value for answer in fused])
    assert "Ignore" not in words
    assert "candidate" not in words


@pytest.mark.parametrize("strategy", [VERIFICATION, SYNTHESIS])
async def test_an_analysis_that_cannot_be_read_is_asked_for_once_more(server, strategy):
    (fused,) = await fuse_rows(server, read_rows(SUMMARIES, first=1), panel_of(strategy, arbiter="chaos-analysis-once"))
    assert fused.arbitration is not None
    assert [call.attempt for call in fused.arbitration.calls] == [1, 2]
    assert fused.arbitration.analysis is not None
    assert "arbiter_unreadable" not in {mark.kind for mark in fused.degraded}


@pytest.mark.parametrize("strategy", [VERIFICATION, SYNTHESIS])
@pytest.mark.parametrize(
    ("arbiter", "kind"), [("chaos-analysis", "arbiter_unreadable"), ("chaos-500", "arbiter_failed")]
)
async def test_without_an_analysis_the_vote_decides_and_says_so(server, strategy, arbiter, kind):
    (fused,) = await fuse_rows(server, read_rows(SUMMARIES, first=1), panel_of(strategy, arbiter=arbiter))
    assert kind in {mark.kind for mark in fused.degraded}
    assert fused.final is not None
    assert fused.winner is not None
    assert fused.final.text == fused.winner.text


async def test_the_ledger_tells_members_and_arbiters_apart_by_the_same_question(server):
    server.ledger.clear()
    (row,) = read_rows(SUMMARIES, first=1)
    await fuse_rows(server, [row], panel_of(VERIFICATION, arbiter="sim-gauge-arbiter"))
    latest = server.ledger.as_json()["latest"]
    assert [entry["task"] for entry in latest] == [None, None, None, "verification"]
    assert {entry["item_id"] for entry in latest} == {row["id"]}
    assert len({entry["key"] for entry in latest}) == 1
