from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from evaluation.models import Answer, LiveRequest
from panels.fusion.types import AnswerKind, FailureKind, Message, StrategyName
from panels.models import PanelVersion
from panels.services.panels import add_version
from panels.specs import spec_of
from tests.factories import NOW
from tests.integration.evaluation.live_questions import at
from tests.unit.panels.fusion.arbitrated import written_claim, written_synthesis, written_verification
from tests.unit.panels.fusion.live_panels import dead, model, said

pytestmark = pytest.mark.django_db(transaction=True)

COST = 10 * 1_000 + 2 * 10_000
MAIL = "ada@example.org"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


def lines_of(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def section(text: str, title: str) -> list[str]:
    """The indented lines under a title."""
    lines = lines_of(text)
    found = []
    for line in lines[lines.index(title) + 1 :]:
        if not line.startswith("  "):
            break
        found.append(line.strip())
    return found


# What is printed


def test_the_answer_comes_first_and_then_how_it_came_about(open_desk):
    desk = open_desk(a="Paris.", b="Paris.", c="Rome.")
    printed = desk.ask("--kind", "short")
    answer = Answer.objects.get()
    lines = lines_of(printed.out)
    slug = desk.desk.version.panel.slug
    assert (printed.status, printed.err) == (0, "")
    assert lines[:3] == ["Paris.", "", f"{slug} v1, answer {answer.pk}, trace /answers/{answer.pk}/"]
    assert lines[3].startswith("cost $0.000090 (quoted $")
    assert lines[4:6] == [
        "strategy majority, stages 1",
        f"consensus 0.67, confidence not calibrated, took {lines[5].rpartition(' took ')[2]}",
    ]
    assert section(printed.out, "members") == ["a: Paris.", "b: Paris.", "c: Rome."]
    assert section(printed.out, "minority report")[0].startswith("c on ")
    cost = section(printed.out, "cost")
    assert cost[0] == "member a, attempt 1: $0.000030000 listed"
    amounts = [Decimal(line.split("$")[1].split()[0]) for line in cost]
    assert sum(amounts) == Decimal(answer.cost_nanousd or 0) / 10**9 == Decimal(3 * COST) / 10**9
    assert "degraded" not in lines


def test_in_json_it_is_one_object_with_the_result_of_the_wire_format(open_desk):
    desk = open_desk(
        judge=True,
        a="One.",
        b=model(dead(FailureKind.RATE_LIMITED, "one too many", status_code=429)),
        c="Two.",
        j=written_synthesis("Both.", blind_spots=["when"]),
    )
    printed = desk.ask("--json")
    answer = printed.answer
    assert (printed.status, printed.err, len(lines_of(printed.out))) == (0, "", 1)
    assert printed.json["simulated"] == []
    assert (printed.json["answer"], printed.json["trace"]) == ("Both.", f"/answers/{answer.pk}/")
    assert printed.fusion["status"] == "ok"
    assert printed.fusion["analysis"]["blind_spots"] == ["when"]
    assert printed.fusion["failed_models"] == [
        {"model": "b", "error": "rate_limited: one too many", "status_code": 429, "attempts": 1}
    ]
    told = printed.fusion["x"]
    version = desk.desk.version
    assert (told["panel"], told["panel_hash"]) == (f"{version.panel.slug}@1", version.content_hash)
    assert [cut["kind"] for cut in told["degraded"]] == ["member_failed"]
    total = sum(Decimal(str(line["usd"])) for line in told["cost"])
    assert total == Decimal(str(printed.json["cost_usd"])) == Decimal(answer.cost_nanousd or 0) / 10**9
    quote = printed.json["quote_usd"]
    assert 0 < quote["least"] <= quote["expected"] <= quote["most"]
    assert printed.json["cost_usd"] <= quote["most"]


def test_the_arbiter_its_prompt_and_each_attempt_are_named(open_desk):
    desk = open_desk(judge=True, a="One.", b="Two.", j=model("no object", written_synthesis("Both.")))
    lines = lines_of(desk.ask().out)
    assert lines[0] == "Both."
    assert [line for line in lines if line.startswith("arbiter ")] == [
        "arbiter j, prompt synthesis-1, attempt 1: answered",
        "arbiter j, prompt synthesis-1, attempt 2: answered",
    ]


def test_an_arbiter_that_fails_is_named_with_what_it_leaves_to_the_vote(open_desk):
    desk = open_desk(judge=True, a="One.", b="One.", j=model(dead(FailureKind.PAYMENT)))
    printed = desk.ask()
    assert printed.status == 0
    assert lines_of(printed.out)[0] == "One."
    assert "arbiter j, prompt synthesis-1, attempt 1: payment refused" in printed.out
    assert "  no analysis: " in printed.out
    assert section(printed.out, "degraded")[0].startswith("arbiter_failed: ")


def test_who_dissents_is_told_with_the_words_that_show_it(open_desk):
    claims = written_verification(
        written_claim("It opened in 1932.", "supported", "opened in 1932", A="supports", B="contradicts")
    )
    desk = open_desk(
        judge=True, strategy=StrategyName.VERIFICATION, a="It opened in 1932.", b="It opened in 1933.", j=claims
    )
    (dissent,) = section(desk.ask().out, "minority report")
    assert " on It opened in 1932.: " in dissent


def test_what_a_terminal_would_obey_is_not_printed_and_long_words_are_cut(open_desk):
    desk = open_desk(a="Red \x1b[31malarm\x07 " + "x" * 200, b=model(dead(detail="\x1b]0;title\x07")))
    out = desk.ask().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert lines_of(out)[0].startswith("Red [31malarm x")
    assert section(out, "members")[0].endswith("…")


def test_an_unreadable_ballot_and_earlier_attempts_are_told(open_desk):
    busy = dead(FailureKind.RATE_LIMITED, status_code=429)
    desk = open_desk(a=model(said("A", earlier=(busy,))), b="neither", c=model(dead(earlier=(busy, busy))))
    members = section(desk.ask("--choice", "A", "--choice", "B").out, "members")
    assert members == [
        "a: A, attempt 2",
        "b: no ballot could be read",
        "c: provider failed, attempt 3 (down)",
    ]


# No answer


def test_without_an_answer_each_member_says_why_and_the_status_is_1(open_desk):
    desk = open_desk(
        a=model(dead(FailureKind.TIMEOUT, "no first byte")), b=model(dead(FailureKind.SERVER, "down", status_code=529))
    )
    printed = desk.ask()
    assert printed.status == 1
    assert lines_of(printed.out)[0] == (
        "No answer (all_panels_failed): a, seat 1: timeout (no first byte); b, seat 2: server (down)"
    )
    assert section(printed.out, "members") == ["a: timed out (no first byte)", "b: provider failed 529 (down)"]
    again = desk.ask("--json")
    assert (again.status, again.json["answer"]) == (1, None)
    assert (again.fusion["status"], again.fusion["failure_reason"]) == ("error", "all_panels_failed")
    assert [failed["error"] for failed in again.fusion["failed_models"]] == ["timeout: no first byte", "server: down"]
    assert "b, seat 2: server (down)" in again.fusion["error"]


def test_what_no_member_can_be_asked_for_is_refused_before_anything_is_sent(open_desk):
    desk = open_desk(a="One.")
    printed = desk.ask("--max-cost", "0.000000001")
    assert printed.status == 1
    assert lines_of(printed.out)[0].startswith("No answer (insufficient_credits): Even a alone may cost $")
    assert "members" not in lines_of(printed.out)
    again = desk.ask("--json", "--max-cost", "0.000000001")
    assert again.fusion["failure_reason"] == "insufficient_credits"
    assert desk.desk.asked("a") == 0
    assert LiveRequest.objects.count() == 2


# Terms


@pytest.mark.parametrize(("mode", "judged"), [("budget", 0), ("0.5", 0), ("quality", 1), ("1", 1)])
def test_the_mode_says_when_to_stop_and_when_the_arbiter_is_asked(open_desk, mode, judged):
    desk = open_desk(judge=True, a="One.", b="One.", j=written_synthesis("One."))
    printed = desk.ask("--json", "--mode", mode)
    assert printed.status == 0
    assert desk.desk.asked("j") == judged
    assert printed.answer.live_request.mode == mode


def test_a_higher_mode_goes_on_where_a_lower_one_stops(open_desk):
    desk = open_desk(judge=True, a="A", b="A", c="B", j=written_synthesis("B"))
    asked = []
    for mode in ("0", "0.3", "0.5", "1"):
        desk.ask("--json", "--fresh", "--choice", "A", "--choice", "B", "--mode", mode)
        asked.append(desk.desk.asked("j"))
    # Two of three agree: 0.67 is enough up to a mode of a third.
    assert asked == [0, 0, 1, 2]


def test_a_ceiling_leaves_out_what_does_not_fit_and_says_so(open_desk):
    desk = open_desk(a="One.", b="One.", c="One.")
    most = desk.ask("--json").json["quote_usd"]["most"]
    printed = desk.ask("--json", "--fresh", "--max-cost", f"{most * 0.7:.9f}")
    cuts = printed.fusion["x"]["degraded"]
    assert [(cut["kind"], cut["seat"]) for cut in cuts] == [("members_trimmed", 2)]
    assert printed.json["cost_usd"] <= most * 0.7
    assert printed.answer.live_request.ceiling_nanousd == round(most * 0.7 * 10**9)
    assert desk.desk.asked("c") == 1
    text = desk.ask("--fresh", "--max-cost", f"{most * 0.7:.9f}").out
    assert section(text, "degraded")[0].startswith("members_trimmed: with c the worst case is $")


def test_an_unknown_price_is_never_nothing(open_desk):
    desk = open_desk(price=False, a="One.")
    printed = desk.ask()
    assert "cost unknown (quoted unknown to unknown, expected unknown)" in printed.out
    assert section(printed.out, "cost") == ["member a, attempt 1: unknown unknown"]
    assert section(printed.out, "degraded") == ["price_unknown: the price of a is not known"]
    assert desk.ask("--json", "--fresh").json["cost_usd"] is None
    refused = desk.ask("--max-cost", "5")
    assert refused.status == 1
    assert "No member has a known price" in refused.out


def test_after_the_deadline_the_best_answer_at_hand_is_given_and_who_is_late_is_named(open_desk):
    desk = open_desk(a="One.", b=model("Late.", after=0.6))
    printed = desk.ask("--json", "--deadline", "0.2")
    assert printed.json["answer"] == "One."
    assert printed.err == "Waiting for what was late, to record it: b.\n"
    assert [cut["kind"] for cut in printed.fusion["x"]["degraded"]] == ["deadline", "single_survivor"]
    assert printed.answer.live_request.deadline_s == 0.2
    assert printed.answer.calls.get(seat=1).text == "Late."


# What is asked


def test_choices_make_a_closed_question(open_desk):
    desk = open_desk(a="The answer is B.")
    printed = desk.ask("--json", "--choice", "A", "--choice", "B")
    asked = printed.answer.live_request.question
    assert (asked.kind, asked.choices, printed.json["answer"]) == (AnswerKind.LABEL, ("A", "B"), "The answer is B.")
    assert printed.fusion["responses"][0]["ballot"] == "B"
    chosen = desk.ask("--json", "--kind", "choice", "--choice", "A", "--choice", "B")
    assert chosen.answer.live_request.question.kind is AnswerKind.CHOICE


@pytest.mark.parametrize(("kind", "words"), [("number", "42"), ("short", "The Hague"), ("text", "Prose.")])
def test_the_kind_says_how_answers_are_read(open_desk, kind, words):
    printed = open_desk(a=words).ask("--json", "--kind", kind)
    assert printed.answer.live_request.question.kind == kind
    assert printed.json["answer"] == words


def test_a_schema_makes_it_an_object(open_desk, tmp_path):
    (tmp_path / "total.json").write_text(json.dumps(SCHEMA))
    desk = open_desk(a='{"total": 3}', b='{"total": "three"}')
    printed = desk.ask("--json", "--schema", str(tmp_path / "total.json"))
    asked = printed.answer.live_request.question
    assert (asked.kind, json.loads(asked.schema)) == (AnswerKind.JSON, SCHEMA)
    assert json.loads(printed.json["answer"]) == {"total": 3}


def test_system_words_and_evidence_go_along(open_desk, tmp_path):
    (tmp_path / "text.txt").write_text("Opened in 1932, façade 1934.", encoding="utf-8")
    desk = open_desk(a="In 1932.")
    printed = desk.ask("--json", "--system", "Be short.", "--evidence", str(tmp_path / "text.txt"))
    asked = printed.answer.live_request.question
    assert asked.messages == (Message(role="system", content="Be short."), Message(role="user", content="Which?"))
    assert asked.evidence == "Opened in 1932, façade 1934."
    assert desk.desk.says["a"].requests[0].messages[0].content == "Be short."


def test_a_dash_reads_the_question_from_standard_input(open_desk, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("When?\nReally?"))
    printed = open_desk(a="In 1932.").ask("--json", question="-")
    assert printed.answer.live_request.question.messages[0].content == "When?\nReally?"


def test_masked_values_leave_for_nobody_and_come_back_in_the_answer(open_desk):
    desk = open_desk(a=model(lambda request: f"To {request.messages[0].content.removeprefix('Write to ')}"))
    printed = desk.ask("--sensitive", "customer=Ada Lovelace", question=f"Write to Ada Lovelace, {MAIL}")
    assert lines_of(printed.out)[0] == f"To Ada Lovelace, {MAIL}"
    assert section(printed.out, "masked") == ["CUSTOMER: 1", "EMAIL: 1"]
    assert "Lovelace" not in desk.desk.says["a"].seen
    assert MAIL not in desk.desk.says["a"].seen
    plain = desk.ask("--json", "--mask", question=f"Write to {MAIL}")
    assert plain.fusion["x"]["masks"] == {"EMAIL": 1}
    assert plain.answer.live_request.masked


def test_placeholders_that_a_model_loses_are_counted(open_desk):
    printed = open_desk(a="To nobody.", b="To [[EMAIL_9_zz]].").ask("--mask", question=f"Write to {MAIL}")
    assert section(printed.out, "placeholders lost or invented")
    assert MAIL not in printed.out


# What is reused


def test_a_reply_that_was_bought_is_used_again_with_its_age(open_desk):
    desk = open_desk(a="One.")
    at(desk.desk, timezone.now() - timedelta(hours=2)).put()
    printed = desk.ask()
    assert section(printed.out, "members") == ["a: One., reused, bought 2 h ago"]
    assert section(printed.out, "cost") == ["member a, attempt 1: $0.000000000 reused"]
    assert desk.desk.asked("a") == 1
    assert desk.ask("--json").fusion["responses"][0]["age_s"] == pytest.approx(7200, abs=60)
    for options in (["--fresh"], ["--max-age", "0.000001"]):
        desk.ask(*options)
    assert desk.desk.asked("a") == 3


# Which panel


def test_the_latest_version_is_asked_unless_another_is_named(open_desk):
    desk = open_desk(a="One.", b="Two.")
    first = PanelVersion.objects.prefetch_related("members").get()
    add_version(panel=first.panel, spec=replace(spec_of(first), stop_at=0.9), by=None, now=NOW)
    slug = first.panel.slug
    assert desk.ask("--json").fusion["x"]["panel"] == f"{slug}@2"
    named = desk.shell.ask(f"{slug}@1", "Which?", "--json")
    assert named.fusion["x"]["panel"] == f"{slug}@1"
