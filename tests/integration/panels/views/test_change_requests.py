from __future__ import annotations

import json
from datetime import timedelta

import pytest

from panels.evidence import Differences, Estimate, Evidence, Gate, Regression, RunFacts, evidence_json, read_evidence
from panels.models import ChangeDecision, ChangeRequest
from panels.selectors.applications import applied_version
from tests.change_factories import (
    decide,
    make_applied,
    make_approved,
    make_approver,
    make_author,
    make_compliance,
    make_draft,
    make_first_version,
    make_next_version,
    make_submitted,
)
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """The hour of the factories: requests expire."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(hours=2))


@pytest.fixture
def page_of(client):
    def read(request, person):
        client.force_login(person)
        return client.get(f"/changes/{request.pk}/").content.decode()

    return read


def post(client, person, request, action, **data):
    client.force_login(person)
    return client.post(f"/changes/{request.pk}/{action}/", data)


def decision(request, verdict="approved", reason=""):
    return {"verdict": verdict, "reason": reason, "signed_hash": request.signed_hash}


def said(client, answer):
    """The latest message."""
    return [str(message) for message in client.get(answer.url).context["messages"]][-1]


def test_approvers_do_not_see_each_others_decision_until_both_have_decided(page_of):
    request = make_submitted(make_first_version())
    first, second = make_compliance(username="cora"), make_approver(username="anton")
    decide(request, first, "changes_requested", "The prompt leaks names.")
    for person in (second, make_author(), make_user("viewer")):
        page = page_of(request, person)
        assert "Somebody has decided" in page
        assert "cora" not in page
        assert "leaks names" not in page
    assert "leaks names" in page_of(request, first)
    decide(request, second)
    page = page_of(request, make_user("viewer"))
    assert "leaks names" in page
    assert "anton" in page


def test_a_decision_is_kept_and_the_form_sent_again_changes_nothing(client):
    request, person = make_submitted(make_first_version()), make_approver()
    assert post(client, person, request, "decide", **decision(request)).status_code == 302
    again = post(client, person, request, "decide", **decision(request))
    assert (again.status_code, ChangeDecision.objects.count()) == (422, 1)
    assert "already decided" in again.content.decode()


def test_a_refusal_without_a_reason_comes_back_in_the_fragment(client):
    request, person = make_submitted(make_first_version()), make_approver()
    client.force_login(person)
    answer = client.post(
        f"/changes/{request.pk}/decide/",
        decision(request, "rejected"),
        HTTP_HX_REQUEST="true",
        HTTP_HX_TARGET="decision",
    )
    assert answer.status_code == 422
    assert answer.content.decode().strip().startswith('<section class="card approve" id="decision"')
    assert "Say why" in answer.content.decode()
    assert post(client, person, request, "decide", verdict="maybe").status_code == 422


def test_what_was_edited_while_the_page_was_open_is_not_approved(client):
    request = make_submitted(make_first_version())
    answer = post(client, make_approver(), request, "decide", **{**decision(request), "signed_hash": "0" * 64})
    assert answer.status_code == 422
    assert "just changed this request" in answer.content.decode()


@pytest.mark.parametrize("group", ["viewer", "product manager"])
def test_who_is_no_approver_is_shown_no_form_and_sent_away(client, page_of, group):
    request, person = make_submitted(make_first_version()), make_user(group)
    assert "Approve v1" not in page_of(request, person)
    assert post(client, person, request, "decide", **decision(request)).status_code == 403


def test_the_author_is_told_that_others_decide(page_of):
    author = make_user("product manager", "approver")
    assert "so others decide" in page_of(make_submitted(make_first_version(), by=author), author)


def test_a_request_goes_from_draft_to_live_by_its_buttons(client):
    author, manager = make_author(), make_author()
    request = make_draft(make_first_version(), by=author)
    assert "expires in 14 days" in said(client, post(client, author, request, "submit"))
    for person in (make_approver(), make_compliance()):
        post(client, person, request, "decide", **decision(request))
    tomorrow = (NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    post(client, manager, request, "schedule", at=tomorrow)
    request.refresh_from_db()
    assert request.state == "scheduled"
    assert "Take it off the schedule" in client.get(f"/changes/{request.pk}/").content.decode()
    post(client, manager, request, "unschedule")
    assert "such as 2026-12-01" in said(client, post(client, manager, request, "schedule", at="soon"))
    assert "still to come" in said(client, post(client, manager, request, "schedule", at="2020-01-01 10:00"))
    assert "live questions" in said(client, post(client, manager, request, "apply"))
    assert applied_version(request.panel) == request.candidate
    assert "Only an approved" in said(client, post(client, manager, request, "apply"))


@pytest.mark.parametrize(
    ("group", "action"),
    [
        ("viewer", "submit"),
        ("approver", "submit"),
        ("compliance", "withdraw"),
        ("viewer", "apply"),
        ("compliance", "apply"),
        ("viewer", "schedule"),
        ("viewer", "unschedule"),
    ],
)
def test_buttons_are_for_those_who_may(client, group, action):
    request = make_approved(make_first_version())
    assert post(client, make_user(group), request, action).status_code == 403
    client.force_login(make_author())
    assert client.get(f"/changes/{request.pk}/{action}/").status_code == 405


def test_a_request_can_be_withdrawn(client):
    request = make_submitted(make_first_version())
    assert "withdrawn" in said(client, post(client, make_author(), request, "withdraw"))
    assert ChangeRequest.objects.get().state == "withdrawn"


def test_a_click_rolls_back(client):
    first = make_first_version()
    make_applied(first, makes_baseline=True)
    second = make_next_version(first, weight=0.9)
    make_applied(second)
    address = f"/panels/{first.panel.slug}/v1/roll-back/"
    client.force_login(make_user("viewer"))
    assert client.post(address).status_code == 403
    client.force_login(make_author())
    assert "approved baseline" in client.get(f"/panels/{first.panel.slug}/").content.decode()
    answer = client.post(address)
    assert "baseline again" in said(client, answer)
    assert applied_version(first.panel) == first
    assert "Its approvers" in said(client, client.post(address.replace("v1", "v2"), {"reason": "As before."}))
    assert "already the applied one" in said(client, client.post(address))


def test_the_page_says_what_changes_why_and_on_what(page_of):
    first = make_first_version()
    make_applied(first)
    candidate = make_next_version(first, weight=0.5)
    evidence = Evidence(
        candidate_hash=candidate.content_hash,
        run=RunFacts(id=7, title="March", number=2, finished_at="", replies="recorded"),
        gate=Gate(checked_on="2026-11-23", data_class="public", models=2),
        differences=Differences(
            against="today’s model",
            accuracy=Estimate(value=0.09, low=0.03, high=0.15, n=210),
            cost_nanousd=Estimate(value=-180_000, low=-190_000, high=-170_000, n=210),
            cost_relative=Estimate(value=-0.6, low=-0.65, high=-0.58, n=210),
            p95_s=Estimate(value=0.021, n=210),
            words=("More accurate.",),
        ),
        regressions=(
            Regression(item_id="i-1", answer_id=1, consensus=1.0, title="Which deck?", said="800", right="400"),
            Regression(item_id="i-2", answer_id=2, consensus=0.5),
        ),
        lost=9,
    )
    request = make_submitted(candidate, evidence=evidence_json(evidence), makes_baseline=True)
    page = page_of(request, make_approver())
    for words in (
        '<span class="was">0.3</span> <span class="now">0.5</span>', "+9.0 pt", "−$0.00018", "−60.0 %", "+21 ms",
        "Said “800”", "personal data", "of 9 items", "Recorded outputs were replayed", "nothing failed",
        "fall back to this version at once", "Two people, neither of them the author.",
    ):  # fmt: skip
        assert words in page, words
    assert read_evidence(evidence_json(evidence)) == evidence
    assert read_evidence(json.loads(json.dumps(request.evidence))) == evidence


def test_a_page_warns_of_another_base_a_refusal_and_a_closed_gate(page_of):
    first = make_first_version()
    request = make_submitted(make_next_version(first, weight=0.5))
    make_applied(first)
    ChangeRequest.objects.filter(pk=request.pk).update(refusal="The contract ended.")
    page = page_of(request, make_approver())
    assert "Another version is applied by now" in page
    assert "The contract ended." in page
    without = make_draft(make_next_version(first, weight=0.6), evidence={})
    assert "No evidence yet" in page_of(without, make_approver())


def test_an_expired_request_says_so_before_any_sweep(page_of, monkeypatch):
    request = make_submitted(make_first_version())
    monkeypatch.setattr("django.utils.timezone.now", lambda: request.expires_at)
    page = page_of(request, make_approver())
    assert "Sales" not in page
    assert ", expired</h1>" in page
    assert "nothing to decide" in page


def test_the_list_filters_sorts_and_exports(client, django_assert_max_num_queries):
    first = make_first_version()
    applied = make_applied(first, summary="To begin with.")
    waiting = make_submitted(make_next_version(first, weight=0.5))
    other = make_draft(make_first_version())
    client.force_login(make_user("viewer"))

    def found(**query):
        return {row.pk for row in client.get("/changes/", query).context["changes"].page.rows}

    assert found() == {applied.pk, waiting.pk, other.pk}
    assert found(state="open") == {waiting.pk, other.pk}
    assert found(state="applied") == {applied.pk}
    assert found(tier="2") == {waiting.pk}
    assert found(panel=first.panel.slug) == {applied.pk, waiting.pk}
    assert found(q="begin with") == {applied.pk}
    assert found(state="lost", tier="9") == {applied.pk, waiting.pk, other.pk}
    assert "No change matches" in client.get("/changes/", {"q": "nothing"}).content.decode()
    lines = b"".join(client.get("/changes/", {"export": "jsonl", "sort": "tier"}).streaming_content).splitlines()
    assert [json.loads(line)["tier"] for line in lines] == [2, 3, 3]
    with django_assert_max_num_queries(20):
        client.get("/changes/", {"sort": "-expires"}, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")


def test_an_empty_list_says_how_to_begin(client):
    client.force_login(make_author())
    assert "No change requests yet" in client.get("/changes/").content.decode()


def test_what_waits_for_whom_is_counted_and_named(client):
    first = make_first_version()
    author = make_author()
    request = make_submitted(first, by=author)

    def waiting(person):
        client.force_login(person)
        return client.get("/changes/waiting/").json()["waiting"]

    approver, compliance = make_approver(), make_compliance()
    assert [waiting(person) for person in (approver, compliance, author, make_user("viewer"))] == [1, 1, 0, 0]
    decide(request, approver)
    assert [waiting(person) for person in (approver, make_approver(), compliance)] == [0, 0, 1]
    decide(request, compliance, "changes_requested", "Name the region.")
    assert [waiting(author), waiting(compliance)] == [1, 0]
    client.force_login(author)
    assert "Change it" in client.get("/changes/").content.decode()
    approved = make_approved(make_next_version(first, weight=0.9))
    assert waiting(make_author()) == 1
    assert "Apply" in client.get("/").content.decode()
    assert approved.state == "approved"
    client.logout()
    assert client.get("/changes/waiting/").status_code == 302


def test_a_fall_back_waits_for_its_review(client):
    first = make_first_version()
    make_applied(first, makes_baseline=True)
    make_applied(make_next_version(first, weight=0.9))
    client.force_login(make_author())
    client.post(f"/panels/{first.panel.slug}/v1/roll-back/")
    approver = make_approver()
    client.force_login(approver)
    assert client.get("/changes/waiting/").json() == {"waiting": 1}
    request = ChangeRequest.objects.get(is_rollback=True)
    page = client.get(f"/changes/{request.pk}/").content.decode()
    assert "somebody looks at it after" in page
    assert post(client, approver, request, "decide", **decision(request)).status_code == 302
    assert client.get("/changes/waiting/").json() == {"waiting": 0}


def test_a_page_takes_few_queries_however_many_decided(client, django_assert_max_num_queries):
    first = make_first_version()
    make_applied(first)
    request = make_submitted(make_next_version(first, weight=0.5))
    decide(request, make_compliance())
    client.force_login(make_approver())
    with django_assert_max_num_queries(34):
        client.get(f"/changes/{request.pk}/")


def test_panels_say_what_is_live(client):
    first = make_first_version()
    client.force_login(make_user("viewer"))
    assert "never applied" in client.get("/panels/").content.decode()
    assert "Never applied" in client.get(f"/panels/{first.panel.slug}/").content.decode()
    make_applied(first)
    make_submitted(make_next_version(first, weight=0.5))
    page = client.get(f"/panels/{first.panel.slug}/").content.decode()
    assert "Live <b>v1</b>" in page
    assert "Proposed" in page
    row = next(iter(client.get("/panels/").context["panels"].page.rows))
    assert row.applied == 1
