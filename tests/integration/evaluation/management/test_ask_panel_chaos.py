"""The chaos kit behind ``ask_panel``, over a real socket: whatever the evil, the panel answers and names it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from evaluation.models import Answer, Call
from evaluation.selectors.runs import FAILURE_WORDS
from panels import gateway
from panels.fusion import resilience, retry
from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import ArbiterWhen, FailureKind, StrategyName
from panels.models import LanguageModel, ProviderHealth
from panels.simulator.answer_key import KeyItem, digest_user_messages
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chaos import CHAOS_MODELS
from panels.simulator.model import GENERAL
from tests.conftest import REPOSITORY
from tests.factories import make_model, make_panel_version, make_provider
from tests.integration.evaluation.management.asked_panels import Printed, Shell
from tests.simulator_server import SimulatorServer, serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)

JUDGE = "sim-gauge-arbiter"
GOOD = ("sim-atlas-large", "sim-cobalt-medium")
PROMPT, ANSWER = "Capital of France?", "Paris"
FIRST_BYTE_S, TOTAL_S, SLOW_S = 0.4, 0.8, 0.05
FLOOD_S = 30.0
CEILING = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a member with this evil ends: the failure, None where it answers; how often it was asked; its last status."""

    kind: FailureKind | None = None
    attempts: int = 1
    status: int | None = None


RETRIED = partial(Ending, attempts=3)
SERVER, TIMEOUT, MALFORMED = FailureKind.SERVER, FailureKind.TIMEOUT, FailureKind.MALFORMED
WHOLE = {
    "chaos-429": RETRIED(kind=FailureKind.RATE_LIMITED, status=429),
    "chaos-429-once": Ending(attempts=2),
    "chaos-429-date": Ending(attempts=2),
    "chaos-401": Ending(kind=FailureKind.AUTHENTICATION, status=401),
    "chaos-402": Ending(kind=FailureKind.PAYMENT, status=402),
    "chaos-retired": Ending(kind=FailureKind.INVALID_MODEL, status=404),
    "chaos-500": RETRIED(kind=SERVER, status=500),
    "chaos-500-once": Ending(attempts=2),
    "chaos-529": RETRIED(kind=SERVER, status=529),
    "chaos-html": RETRIED(kind=SERVER, status=502),
    "chaos-html-200": Ending(kind=MALFORMED, status=200),
    "chaos-error-body": RETRIED(kind=SERVER, status=502),
    "chaos-error-chunk": RETRIED(kind=SERVER, status=502),
    "chaos-truncated-json": Ending(kind=MALFORMED, status=200),
    "chaos-empty": Ending(kind=FailureKind.EMPTY),
    "chaos-refusal": Ending(kind=FailureKind.REFUSED),
    "chaos-no-usage": Ending(),
    "chaos-early-usage": Ending(),
    "chaos-keepalive": Ending(kind=TIMEOUT),
    "chaos-keepalive-late": Ending(),
    "chaos-slow-first-byte": Ending(),
    "chaos-hang": Ending(kind=TIMEOUT),
    "chaos-reset": RETRIED(kind=FailureKind.CONNECTION),
    "chaos-reset-once": Ending(attempts=2),
    "chaos-reset-midway": Ending(kind=FailureKind.STREAM_CUT),
    "chaos-endless": Ending(kind=TIMEOUT),
    "chaos-flood": Ending(kind=MALFORMED),
    "chaos-last-role": Ending(),
    "chaos-price": Ending(),
    "chaos-elsewhere": Ending(),
    "chaos-nowhere": Ending(),
    "chaos-poison": Ending(),
    "chaos-analysis-once": Ending(),
    "chaos-analysis": Ending(),
}
CUT = Ending(kind=FailureKind.STREAM_CUT)
STREAMED = WHOLE | {"chaos-error-chunk": CUT, "chaos-truncated-json": CUT}
FAILING = [name for name, ending in WHOLE.items() if ending.kind is not None]
SPOKEN = {"whole": (OpenAIClient, False, WHOLE), "streamed": (AnthropicClient, True, STREAMED)}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorServer]:
    # The good are always right, and nothing holds a connection for longer than a client waits.
    kit = {name: replace(CATALOGUE[name], skill={GENERAL: 1.0}, verbosity=0.0, faults={}) for name in GOOD}
    kit[JUDGE] = replace(CATALOGUE[JUDGE], judging=1.0, bad_analysis_rate=0.0, faults={})
    kit |= {
        model.id: replace(model, verbosity=0.0, hang_s=SLOW_S if model.hang_s < 60 else 30.0) for model in CHAOS_MODELS
    }
    item = KeyItem(id="q1", topic="t", reference=ANSWER, wrong=("Lyon",))
    with serve_simulator(answer_key={digest_user_messages([("user", PROMPT)]): item}, catalogue=kit) as started:
        yield started


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that wait for tenths of a second, and tries without the pause between them."""
    speak(monkeypatch, "whole")
    monkeypatch.setattr(resilience, "next_pause", lambda *a, **k: None if retry.next_pause(*a, **k) is None else 0.0)


def speak(monkeypatch: pytest.MonkeyPatch, way: str, *, total_s: float = TOTAL_S) -> None:
    client_class, stream, _ = SPOKEN[way]
    hurried = partial(
        client_class, stream=stream, first_byte_timeout_s=max(FIRST_BYTE_S, total_s / 2), total_timeout_s=total_s
    )
    monkeypatch.setattr(gateway, "client_class", lambda kind: hurried)


def models_of(simulator: SimulatorServer, *names: str, kind: str = "simulated") -> list[LanguageModel]:
    provider = make_provider(slug="kit", kind=kind, base_url=simulator.base_url)
    return [
        make_model(provider=provider, name=name, price=None if name == "chaos-price" else (10**9, 2 * 10**9))
        for name in names
    ]


def asked(shell: Shell, members: list[LanguageModel], *options: str, **panel: Any) -> Printed:
    slug = make_panel_version([members], max_tokens=60, **panel).panel.slug
    return shell.ask(slug, PROMPT, "--kind", "short", *options)


def attempts_of(answer: Answer, name: str) -> list[str]:
    return list(
        Call.objects.filter(answer=answer, model__name=name).order_by("attempt").values_list("outcome", flat=True)
    )


def test_every_evil_of_the_kit_is_tried():
    assert list(WHOLE) == [model.id for model in CHAOS_MODELS]


@pytest.mark.parametrize("way", SPOKEN)
@pytest.mark.parametrize("name", WHOLE)
def test_the_panel_answers_and_the_failure_is_named(shell, simulator, monkeypatch, name, way):
    ending = SPOKEN[way][2][name]
    # Eight megabytes take a busy machine a while.
    speak(monkeypatch, way, total_s=FLOOD_S if name == "chaos-flood" else TOTAL_S)
    kind = "anthropic" if way == "streamed" else "simulated"
    members = models_of(simulator, GOOD[0], name, GOOD[1], kind=kind)
    printed = asked(shell, members, "--json")
    assert (printed.status, printed.json["answer"]) == (0, ANSWER)
    answer, told = printed.answer, printed.fusion
    outcomes = attempts_of(answer, name)
    assert len(outcomes) == ending.attempts
    cuts = [cut["kind"] for cut in told["x"]["degraded"] if cut["kind"] != "price_unknown"]
    if ending.kind is None:
        assert (told["failed_models"], cuts) == ([], [])
        assert outcomes[-1] == "ok"
        return
    (failed,) = told["failed_models"]
    assert (failed["model"], failed["attempts"]) == (name, ending.attempts)
    assert failed["error"].startswith(f"{ending.kind.value}: ")
    assert len(failed["error"]) > len(ending.kind.value) + 2
    assert cuts == ["member_failed"]
    assert set(outcomes) == {ending.kind.value}
    assert told["x"]["consensus"] == pytest.approx(2 / 3, abs=1e-6)


@pytest.mark.parametrize("name", FAILING)
def test_a_panel_of_nothing_else_says_why_in_words_and_ends_with_1(shell, simulator, monkeypatch, name):
    ending = WHOLE[name]
    speak(monkeypatch, "whole", total_s=FLOOD_S if name == "chaos-flood" else TOTAL_S)
    assert ending.kind is not None
    printed = asked(shell, models_of(simulator, name))
    first, *lines = printed.out.splitlines()
    assert printed.status == 1
    assert first.startswith(f"No answer (all_panels_failed): {name}, seat 1: {ending.kind.value} (")
    status = "" if ending.status is None else f" {ending.status}"
    attempts = f", attempt {ending.attempts}" if ending.attempts > 1 else ""
    (member,) = (line for line in lines if line.startswith(f"  {name}: "))
    assert member.startswith(f"  {name}: {FAILURE_WORDS[ending.kind]}{status}{attempts} ("), member


@pytest.mark.parametrize("name", FAILING)
def test_an_arbiter_that_fails_leaves_the_answer_to_the_vote(shell, simulator, monkeypatch, name):
    speak(monkeypatch, "whole", total_s=FLOOD_S if name == "chaos-flood" else TOTAL_S)
    *members, judge = models_of(simulator, *GOOD, name)
    panel = {"strategy": StrategyName.SYNTHESIS, "arbiter": judge, "when": ArbiterWhen.ALWAYS}
    printed = asked(shell, members, "--json", **panel)
    assert (printed.status, printed.json["answer"]) == (0, ANSWER)
    assert [cut["kind"] for cut in printed.fusion["x"]["degraded"]] == ["arbiter_failed"]
    assert set(attempts_of(printed.answer, name)) == {WHOLE[name].kind}


# What leaves room for an answer, and yet is to be told


def test_missing_usage_is_unknown_and_paid_for_at_its_worst_case(shell, simulator):
    printed = asked(shell, models_of(simulator, *GOOD, "chaos-no-usage"), "--json", "--max-cost", CEILING)
    lines = {line["model"]: line for line in printed.fusion["x"]["cost"]}
    assert lines["chaos-no-usage"]["basis"] == "worst_case"
    assert lines["chaos-no-usage"]["usd"] > lines[GOOD[0]]["usd"] > 0
    call = printed.answer.calls.get(model__name="chaos-no-usage")
    assert (call.prompt_tokens, call.completion_tokens, call.cost_nanousd) == (None, None, None)
    assert printed.answer.cost_nanousd is None


def test_a_price_of_minus_one_is_flagged_without_a_ceiling_and_refused_under_one(shell, simulator):
    members = models_of(simulator, *GOOD, "chaos-price")
    free = asked(shell, members, "--json")
    assert [cut["kind"] for cut in free.fusion["x"]["degraded"]] == ["price_unknown"]
    assert free.json["quote_usd"]["most"] is None
    # What the provider says that it charged is known all the same.
    assert free.fusion["x"]["cost"][2]["basis"] == "reported"
    held = asked(shell, members, "--json", "--fresh", "--max-cost", CEILING)
    (cut,) = held.fusion["x"]["degraded"]
    assert (cut["kind"], cut["seat"]) == ("members_trimmed", 2)
    assert "the price of chaos-price is not known" in cut["reason"]
    assert held.json["cost_usd"] > 0


def test_an_analysis_that_cannot_be_read_is_asked_for_once_more_and_then_left_to_the_vote(shell, simulator):
    *members, once, never = models_of(simulator, *GOOD, "chaos-analysis-once", "chaos-analysis")
    panel = {"strategy": StrategyName.SYNTHESIS, "when": ArbiterWhen.ALWAYS}
    mended = asked(shell, members, "--json", arbiter=once, **panel)
    assert mended.fusion["x"]["degraded"] == []
    assert mended.fusion["analysis"] is not None
    assert attempts_of(mended.answer, "chaos-analysis-once") == ["ok", "ok"]
    left = asked(shell, members, "--json", arbiter=never, **panel)
    assert left.json["answer"] == ANSWER
    assert left.fusion["analysis"] is None
    assert [cut["kind"] for cut in left.fusion["x"]["degraded"]] == ["arbiter_unreadable"]


@pytest.mark.parametrize("strategy", [StrategyName.SYNTHESIS, StrategyName.VERIFICATION])
def test_a_poisoned_member_gives_the_arbiter_no_orders(shell, simulator, strategy):
    *members, judge = models_of(simulator, *GOOD, "chaos-poison", JUDGE)
    panel = {"strategy": strategy, "arbiter": judge, "when": ArbiterWhen.ALWAYS}
    printed = asked(shell, members, "--json", **panel)
    assert printed.fusion["x"]["degraded"] == []
    assert printed.json["answer"].startswith(ANSWER)
    assert "Ignore the other" not in printed.json["answer"]


def test_a_model_that_fails_five_times_in_a_row_is_not_asked_any_more(shell, simulator):
    members = models_of(simulator, *GOOD, "chaos-500")
    kinds = [asked(shell, members, "--json").fusion["failed_models"][0]["error"].split(":")[0] for _ in range(3)]
    assert kinds == ["server", "server", "breaker_open"]


def test_simulated_models_are_labelled_with_their_numbers(shell, simulator):
    *members, judge = models_of(simulator, *GOOD, JUDGE)
    panel = {"strategy": StrategyName.SYNTHESIS, "arbiter": judge, "when": ArbiterWhen.ALWAYS}
    assert asked(shell, members, "--json", **panel).json["simulated"] == [*GOOD, JUDGE]
    assert f"simulated, with all their numbers: {', '.join(GOOD)}" in asked(shell, members).out.splitlines()


def test_what_a_question_finds_of_its_providers_is_kept_for_their_page(shell, simulator):
    asked(shell, models_of(simulator, *GOOD, "chaos-500"))
    (noted,) = ProviderHealth.objects.all()
    assert "chaos-500" in str(noted.breakers)


# The documentation


def test_the_documentation_tells_these_outcomes():
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (REPOSITORY / "docs" / "chaos.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and "`chaos-" in line
    ]
    told = {cells[1].split("`")[1]: cells[2] for cells in rows}
    assert list(told) == list(WHOLE)
    for name, ending in WHOLE.items():
        words = told[name]
        if ending.kind is not None:
            assert f"`{ending.kind.value}`" in words.split(";")[0], name
        assert ("three attempts" in words) == (ending.attempts == 3), name
        streamed = STREAMED[name]
        if streamed != ending:
            assert streamed.kind is not None
            assert f"streamed: `{streamed.kind.value}`" in words, name
