from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection

from evaluation.execution.live_answers import NotCallable
from evaluation.execution.live_records import VAULT_TTL, usual_slowest, vault_key
from evaluation.models import Answer, Call, LiveRequest
from panels.fusion.modes import UnknownMode
from panels.fusion.privacy.values import SensitiveValueTooShort
from panels.fusion.privacy.vault import ExpiredMap, open_sealed
from panels.fusion.types import AnswerKind, FailureKind, ModelRequest, Reply
from panels.models import PanelVersion, Provider
from panels.services.panels import add_version
from panels.specs import spec_of
from tests.factories import NOW, make_model, make_panel_version, make_provider
from tests.integration.evaluation.live_questions import Helpdesk, at, make_helpdesk
from tests.triggers import rewrite
from tests.unit.panels.fusion.arbitrated import written_synthesis
from tests.unit.panels.fusion.live_panels import CHOICE, ScriptedModel, ask, dead, model, said

pytestmark = pytest.mark.django_db(transaction=True)

COST = 10 * 1_000 + 2 * 10_000
MAIL = "ada@example.org"
SECRETS = ask(f"Write to Ada Lovelace at {MAIL}.")
ADA = {"customer": "Ada Lovelace"}


def rows(answer: Answer) -> list[tuple[object, ...]]:
    calls = answer.calls.select_related("model").order_by("role", "seat", "attempt")
    return [(call.model.name, call.role, call.attempt, call.outcome, call.spent_nanousd) for call in calls]


def spent(answer: Answer) -> int:
    return sum(call.spent_nanousd or 0 for call in answer.calls.all())


def test_an_answer_is_stored_with_every_attempt_and_the_money_of_its_lines():
    busy = dead(FailureKind.RATE_LIMITED, latency_s=0.1, pause_s=0.5)
    desk = make_helpdesk(
        judge=True,
        a=model(said("One.", earlier=(busy, busy))),
        b=model(dead(FailureKind.TIMEOUT)),
        j=model("no object", written_synthesis("Both.")),
    )
    answered = desk.put(ceiling_nanousd=10**9, deadline_s=30.0, mode="quality")
    answer = answered.answer
    assert rows(answer) == [
        ("j", "arbiter", 1, "ok", COST),
        ("j", "arbiter", 2, "ok", COST),
        ("a", "member", 1, "rate_limited", 0),
        ("a", "member", 2, "rate_limited", 0),
        ("a", "member", 3, "ok", COST),
        ("b", "member", 1, "timeout", spent(answer) - 3 * COST),
    ]
    assert spent(answer) == answered.live.cost.total_nanousd
    assert (answer.outcome, answer.text, answer.strategy, answer.run) == ("answered", "Both.", "synthesis", None)
    assert [cut["kind"] for cut in answer.degraded] == ["member_failed", "single_survivor"]
    asked = answer.live_request
    assert (asked.panel_version, asked.mode, asked.ceiling_nanousd, asked.deadline_s) == (
        desk.version,
        "quality",
        10**9,
        30.0,
    )
    quote = answered.live.quote
    assert (asked.quoted_least_nanousd, asked.quoted_expected_nanousd, asked.quoted_most_nanousd) == (
        quote.least_nanousd,
        quote.expected_nanousd,
        quote.most_nanousd,
    )
    assert asked.question == ask()
    assert (asked.masked, asked.vault, asked.vault_until) == (False, None, None)
    assert answer.latency_s is not None
    assert answer.latency_s < 10


def test_a_refused_question_is_stored_without_calls():
    desk = make_helpdesk(a="One.", b="Two.")
    answered = desk.put(ceiling_nanousd=1)
    assert answered.answer.outcome == "failed"
    assert answered.answer.calls.count() == 0
    assert (answered.answer.cost_nanousd, answered.answer.call_count) == (0, 0)
    assert answered.answer.degraded[0]["kind"] == "refused"
    assert answered.answer.live_request.ceiling_nanousd == 1
    assert desk.asked("a") == 0


def test_the_ceiling_and_the_deadline_of_the_version_hold_and_a_request_can_only_lower_the_ceiling():
    desk = make_helpdesk(a="One.")
    desk.change(max_cost_nanousd=2 * 10**9, deadline_s=7.0)
    own = desk.put().answer.live_request
    assert (own.ceiling_nanousd, own.deadline_s, own.mode) == (2 * 10**9, 7.0, "")
    asked = desk.put(ceiling_nanousd=3 * 10**9, deadline_s=5.0, mode=1 / 3).answer.live_request
    assert (asked.ceiling_nanousd, asked.deadline_s, asked.mode) == (2 * 10**9, 5.0, "0.333333")


# Replies that were bought before


def test_a_reply_is_reused_while_it_is_fresh_and_bought_again_after():
    desk = make_helpdesk(a="One.", judge=True, j=written_synthesis("One."), b="One.")
    first = desk.put().answer
    again = at(desk, NOW + timedelta(hours=23)).put().answer
    assert [desk.asked(name) for name in "abj"] == [1, 1, 1]
    assert {call.reused_from.answer_id for call in again.calls.select_related("reused_from")} == {first.pk}
    assert (spent(again), again.cost_nanousd) == (0, first.cost_nanousd)
    assert {call.text for call in again.calls.all()} == {""}
    late = at(desk, NOW + timedelta(hours=25)).put().answer
    assert [desk.asked(name) for name in "abj"] == [2, 2, 2]
    assert spent(late) == spent(first)
    at(desk, NOW + timedelta(hours=25)).put(max_age=timedelta(0))
    assert [desk.asked(name) for name in "abj"] == [3, 3, 3]


def test_another_version_never_serves_this_ones_fused_answer_but_its_replies():
    desk = make_helpdesk(
        judge=True, a="One.", b="Two.", j=model(written_synthesis("First."), written_synthesis("Second."))
    )
    assert desk.put().live.text == "First."
    version = PanelVersion.objects.prefetch_related("members").get(pk=desk.version.pk)
    spec = spec_of(version)
    assert spec.arbiter is not None
    changed = replace(spec, arbiter=replace(spec.arbiter, sampling=replace(spec.arbiter.sampling, max_tokens=9)))
    other = Helpdesk(version=add_version(panel=version.panel, spec=changed, by=None, now=NOW), says=desk.says)
    assert other.put().live.text == "Second."
    assert [desk.asked(name) for name in "abj"] == [1, 1, 2]


def test_a_failure_is_never_reused():
    desk = make_helpdesk(a=model(dead(), "One."))
    assert desk.put().live.reason == "all_panels_failed"
    assert desk.put().live.text == "One."


# What comes late


def gated() -> tuple[SimpleNamespace, ScriptedModel]:
    """A model that answers once it is told to."""
    gate = SimpleNamespace(event=None)

    class Gated(ScriptedModel):
        async def complete(self, request: ModelRequest) -> Reply:
            gate.event = asyncio.Event()
            await gate.event.wait()
            return said("Late.", latency_s=1.0, earlier=(dead(latency_s=0.2, pause_s=0.1),))

    return gate, Gated([])


def test_a_late_reply_updates_its_call_and_no_vote():
    gate, slow = gated()
    desk = make_helpdesk(a="One.", b=slow)
    answered = desk.put(deadline_s=0.2, on_answer=lambda _: gate.event.set())
    answer = Answer.objects.get(pk=answered.answer.pk)
    assert answered.live.text == "One."
    assert rows(answer) == [
        ("a", "member", 1, "ok", COST),
        ("b", "member", 1, "server", 0),
        ("b", "member", 2, "ok", COST),
    ]
    late = answer.calls.get(seat=1, attempt=2)
    assert (late.text, late.ballot, late.group) == ("Late.", None, None)
    assert late.reply_key
    assert answer.consensus == 0.5
    assert answer.cost_nanousd == 2 * COST
    assert [cut["kind"] for cut in answer.degraded] == ["deadline", "single_survivor"]
    # It was paid for, so it is used.
    again = at(desk, NOW + timedelta(hours=1)).put(deadline_s=0.2)
    assert again.answer.calls.get(seat=1).reused_from_id == late.pk


# Secrets


def everything_stored() -> str:
    """Every column of every row, as the database file holds them."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [repr(row) for row in cursor.fetchall()]
    return "\n".join(found)


def in_house(desk: Helpdesk, *names: str) -> None:
    rewrite(desk.version.members.filter(model__name__in=names), in_house=True)


def echo(request: ModelRequest) -> str:
    return f"I read: {request.messages[-1].content}"


def test_what_was_masked_is_stored_nowhere_and_the_vault_opens_until_its_end():
    complaint = model(lambda request: dead(FailureKind.REQUEST, f"not this: {request.messages[-1].content}"))
    desk = make_helpdesk(
        judge=True, a=model(echo), b=complaint, c=model(echo), j=written_synthesis("Ask [[EMAIL_1_uo]].")
    )
    in_house(desk, "a", "b")
    question = replace(SECRETS, evidence=f"Says {MAIL}.")
    answered = desk.put(question, masks=True, sensitive=ADA)
    assert desk.says["a"].seen == desk.says["b"].seen == SECRETS.messages[0].content
    assert MAIL not in desk.says["c"].seen + desk.says["j"].seen
    assert answered.live.text == f"Ask {MAIL}."
    stored = everything_stored()
    assert "I read:" in stored
    for secret in (MAIL, "Ada Lovelace", "Lovelace"):
        assert secret not in stored
    asked = LiveRequest.objects.get()
    assert (asked.masked, asked.masks) == (True, {"CUSTOMER": 1, "EMAIL": 2})
    assert asked.integrity["j"]["restored"] == 1
    assert asked.vault_until == NOW + VAULT_TTL
    assert asked.vault is not None
    sealed = bytes(asked.vault).decode()
    opened = open_sealed(sealed, keys=[vault_key()], now_s=NOW.timestamp())
    assert {entry.original for entry in opened.entries} == {MAIL, "Ada Lovelace"}
    with pytest.raises(ExpiredMap):
        open_sealed(sealed, keys=[vault_key()], now_s=asked.vault_until.timestamp())


def test_masked_and_unmasked_replies_are_never_mixed_up():
    desk = make_helpdesk(a="One.")
    desk.put(SECRETS)
    desk.put(SECRETS, masks=True, sensitive=ADA)
    assert desk.asked("a") == 2
    desk.put(ask(SECRETS.messages[0].content.replace("ada@", "grace@")), masks=True, sensitive=ADA)
    assert desk.asked("a") == 2


def test_an_in_house_reply_holds_for_its_own_values_alone():
    desk = make_helpdesk(a="One.")
    in_house(desk, "a")
    desk.put(SECRETS, masks=True)
    desk.put(SECRETS, masks=True)
    assert desk.asked("a") == 1
    desk.put(ask(SECRETS.messages[0].content.replace("ada@", "grace@")), masks=True)
    assert desk.asked("a") == 2


# Nothing is sent and nothing kept


def nothing_kept() -> bool:
    return not any(kept.objects.exists() for kept in (Answer, Call, LiveRequest))


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"mode": "fast"}, UnknownMode),
        ({"mode": 2.0}, UnknownMode),
        ({"masks": True, "sensitive": {"customer": "A"}}, SensitiveValueTooShort),
    ],
)
def test_what_cannot_be_asked_leaves_nothing_behind(terms, error):
    desk = make_helpdesk(a="One.")
    with pytest.raises(error):
        desk.put(SECRETS, **terms)
    assert nothing_kept()
    assert desk.asked("a") == 0


def test_recorded_models_cannot_be_asked():
    recorded = make_model(provider=make_provider(kind=Provider.Kind.RECORDED), name="kept")
    desk = Helpdesk(version=make_panel_version([[recorded]]), says={})
    with pytest.raises(NotCallable, match="kept has recorded outputs only"):
        desk.put()
    assert nothing_kept()


def test_an_answer_is_kept_whole_or_not_at_all(monkeypatch):
    desk = make_helpdesk(a="One.")
    monkeypatch.setattr(LiveRequest.objects, "create", _broken)
    with pytest.raises(sqlite3.OperationalError):
        desk.put()
    assert nothing_kept()


def _broken(**columns: object) -> None:
    raise sqlite3.OperationalError("disk full")


# Models and their names


def test_models_of_one_name_are_told_apart_by_their_providers():
    one, two = (make_model(provider=make_provider(name=name, kind="openai"), name="m") for name in ("North", "South"))
    desk = Helpdesk(version=make_panel_version([[one, two]]), says={"m": model("A")})
    answered = desk.put(CHOICE)
    assert [line.model for line in answered.live.lines] == ["m, North", "m, South"]
    assert {call.model_id for call in answered.answer.calls.all()} == {one.pk, two.pk}


def test_the_usual_slowest_needs_a_few_replies_and_looks_at_the_latest():
    desk = make_helpdesk(a="A")
    for _ in range(19):
        desk.put(CHOICE, max_age=timedelta(0))
    pk = desk.version.members.get().model_id
    Call.objects.update(latency_s=2.0)
    assert usual_slowest([pk]) == {}
    desk.put(CHOICE, max_age=timedelta(0))
    Call.objects.filter(latency_s__lt=2).update(latency_s=9.0)
    assert usual_slowest([pk]) == {pk: pytest.approx(2.0, abs=0.5)}
    desk.change(hedges=True)
    assert desk.put(CHOICE).live.text == "A"


def test_an_unknown_price_is_kept_as_unknown():
    desk = make_helpdesk(price=False, a="One.")
    answered = desk.put()
    assert (answered.answer.cost_nanousd, answered.answer.calls.get().spent_nanousd) == (None, None)
    assert answered.answer.live_request.quoted_most_nanousd is None
    assert [cut["kind"] for cut in answered.answer.degraded] == ["price_unknown"]


def test_an_answer_in_json_keeps_its_schema():
    schema = json.dumps({"type": "object", "properties": {"total": {"type": "number"}}})
    desk = make_helpdesk(a='{"total": 3}')
    answer = desk.put(ask("How much?", AnswerKind.JSON, schema=schema)).answer
    assert json.loads(answer.value or "") == {"total": 3}
    assert answer.live_request.question.schema == schema
