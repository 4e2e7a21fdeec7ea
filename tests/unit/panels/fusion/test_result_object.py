from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from panels.fusion.live_answer import LiveAnswer
from panels.fusion.result_object import Naming, result_object
from panels.fusion.types import FailureKind, Panel, Question, StrategyName, Timing
from tests.unit.panels.fusion.arbitrated import EVIDENCE, written_claim, written_synthesis, written_verification
from tests.unit.panels.fusion.live_panels import CHOICE, ScriptedModel, answered, ask, dead, model, panel_of, said

NAMING = Naming(panel="helpdesk@3", panel_hash="f00", answer_id="17", confidence=0.75)


def told(answer: LiveAnswer) -> dict[str, Any]:
    """As it goes over the wire: what JSON cannot hold fails here."""
    loaded = json.loads(json.dumps(result_object(answer, NAMING), allow_nan=False))
    assert isinstance(loaded, dict)
    return loaded


def object_of(question: Question, panel: Panel, **clients: ScriptedModel) -> dict[str, Any]:
    return told(answered(question, panel, clients).answer)


def test_a_vote_names_who_said_what_who_failed_and_what_it_cost():
    failed = dead(FailureKind.RATE_LIMITED, "slow down", status_code=429, earlier=(dead(),))
    found = object_of(CHOICE, panel_of("a", "b", "c"), a=model("B"), b=model(failed), c=model("B"))
    assert found["status"] == "ok"
    assert found["analysis"] is None
    assert found["responses"] == [
        {"model": "a", "content": "B", "ballot": "B"},
        {"model": "c", "content": "B", "ballot": "B"},
    ]
    assert found["failed_models"] == [
        {"model": "b", "error": "rate_limited: slow down", "status_code": 429, "attempts": 2}
    ]
    x = found["x"]
    assert (x["panel"], x["panel_hash"], x["answer_id"], x["confidence"]) == ("helpdesk@3", "f00", "17", 0.75)
    assert (x["strategy"], x["consensus"], x["stages"]) == ("majority", 0.666667, 1)
    assert [cut["kind"] for cut in x["degraded"]] == ["member_failed"]
    assert x["cost"][0] == {"role": "member", "model": "a", "attempt": 1, "usd": 3e-8, "basis": "listed"}
    assert sum(Decimal(str(line["usd"])) for line in x["cost"]) == Decimal(str(x["cost_usd"]))
    assert (x["verification"], x["minority"], x["masks"], x["integrity"]) == (None, [], {}, {})


def test_a_synthesis_brings_the_five_lists_with_models_for_letters():
    def judged(request):
        user = request.messages[1].content
        letter = "A" if user.index("One.") < user.index("Two.") else "B"
        return written_synthesis(
            "Both.",
            consensus=["c"],
            contradictions=[{"topic": "t", "stances": [{"candidate": letter, "stance": "s"}]}],
            partial_coverage=[{"candidates": [letter], "point": "p"}],
            unique_insights=[{"candidate": letter, "insight": "i"}],
            blind_spots=["b"],
        )

    found = object_of(ask(), panel_of("a", "b", judge="j"), a=model("One."), b=model("Two."), j=model(judged))
    assert found["analysis"] == {
        "consensus": ["c"],
        "contradictions": [{"topic": "t", "stances": [{"model": "a", "stance": "s"}]}],
        "partial_coverage": [{"models": ["a"], "point": "p"}],
        "unique_insights": [{"model": "a", "insight": "i"}],
        "blind_spots": ["b"],
    }
    assert found["x"]["verification"] is None
    assert {line["role"] for line in found["x"]["cost"]} == {"member", "arbiter"}
    assert {"model": "a", "topic": "t", "says": "s", "quote": ""} in found["x"]["minority"]


def test_a_verification_brings_claims_with_each_members_stance_and_the_ranking():
    claims = written_verification(
        written_claim("It opened in 1932.", "supported", "opened in 1932", A="supports", B="contradicts")
    )
    clients = {"a": model("It opened in 1932."), "b": model("It opened in 1933."), "j": model(claims)}
    panel = panel_of("a", "b", judge="j", strategy=StrategyName.VERIFICATION)
    judge = panel.arbiter
    assert judge is not None
    found = object_of(ask("When?", evidence=EVIDENCE), panel_with(panel, "verification-1"), **clients)
    (claim,) = found["x"]["verification"]["claims"]
    assert (claim["claim"], claim["finding"], claim["quote_found"]) == ("It opened in 1932.", "supported", True)
    assert {mark["stance"] for mark in claim["members"]} == {"supports", "contradicts"}
    assert {mark["model"] for mark in claim["members"]} == {"a", "b"}
    assert sorted(found["x"]["verification"]["ranking"]) == ["a", "b"]
    assert found["analysis"] is None


def panel_with(panel: Panel, prompt: str) -> Panel:
    from dataclasses import replace

    assert panel.arbiter is not None
    return replace(panel, arbiter=replace(panel.arbiter, prompt=prompt))


def test_a_reused_reply_says_how_old_it_is():
    found = object_of(CHOICE, panel_of("a"), a=model(said("A", age_s=61.23456)))
    assert found["responses"][0]["age_s"] == 61.235


def test_masking_is_counted_and_placeholders_stay():
    question = ask("Write to ada@example.org.")
    clients = {"a": model(lambda request: request.messages[0].content)}
    found = told(answered(question, panel_of("a"), clients, sensitive={}).answer)
    assert found["x"]["masks"] == {"EMAIL": 1}
    assert found["x"]["integrity"] == {"a": {"restored": 1, "repaired": 0, "altered": 0, "invented": 0}}
    assert "ada@example.org" not in json.dumps(found)


def test_no_answer_is_an_error_with_its_reason():
    found = object_of(CHOICE, panel_of("a"), a=model(dead()))
    assert (found["status"], found["failure_reason"]) == ("error", "all_panels_failed")
    assert found["error"] == "a, seat 1: server (down)"
    assert [one["model"] for one in found["failed_models"]] == ["a"]
    assert found["x"]["cost_usd"] == 0


def test_a_refused_request_has_nothing_but_its_reason():
    found = object_of(CHOICE, panel_of("a", max_cost_nanousd=1), a=model("A"))
    assert set(found) == {"status", "error", "failure_reason"}
    assert found["failure_reason"] == "insufficient_credits"


def test_an_unknown_price_stays_unknown():
    answer = answered(CHOICE, panel_of("a", timing=Timing()), {"a": model("A")}, prices={"a": None}).answer
    found = told(answer)
    assert found["x"]["cost"][0]["usd"] is None
    assert found["x"]["cost_usd"] is None
