from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied

from panels.change_rules import Envelope
from panels.fusion.types import StrategyName
from panels.gate import GateClosed
from panels.models import AuditEntry, ChangeDecision, ChangeRequest, PanelApplication
from panels.policies import OPEN_FOR, OWN_WORK, WrongState
from panels.selectors.applications import applied_version
from panels.services.change_applications import apply_change_request
from panels.services.change_decisions import decide_change_request
from panels.services.change_requests import (
    ChangedMeanwhile,
    InvalidChange,
    NoEvidence,
    Outdated,
    edit_change_request,
    expire_change_requests,
    submit_change_request,
    withdraw_change_request,
)
from tests.change_factories import (
    SOON,
    decide,
    make_applied,
    make_approved,
    make_approver,
    make_author,
    make_change,
    make_compliance,
    make_draft,
    make_first_version,
    make_next_version,
    make_submitted,
)
from tests.factories import NOW, make_contract, make_model, make_provider, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def live():
    """A panel whose first version is applied, with the ranges that its approvers signed."""
    first = make_first_version(stop_at=0.8)
    make_applied(first, makes_baseline=True, envelope=Envelope(weights=(0.2, 0.5), stop_at=(0.7, 0.9)))
    return first


def edit(request, by, **fields):
    fields.setdefault("summary", "Another wording.")
    change = make_change(request.candidate, **fields)
    return edit_change_request(request=request, change=change, revision=request.revision, by=by, now=SOON)


def test_a_first_application_reaches_everything_anew_and_needs_compliance():
    request = make_submitted(make_first_version())
    assert (request.tier, request.base, request.state) == (3, None, "submitted")
    assert request.expires_at == NOW + OPEN_FOR
    decide(request, make_approver())
    with pytest.raises(WrongState, match="for compliance"):
        decide(request, make_approver())
    decide(request, make_compliance())
    request.refresh_from_db()
    assert request.state == "approved"


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({"weight": 0.45}, 1),
        ({"weight": 0.51}, 2),
        ({"stop_at": 0.7}, 1),
        ({"stop_at": None}, 2),
        ({"max_cost_nanousd": 5}, 2),
        ({"strategy": StrategyName.MAJORITY}, 2),
    ],
)
def test_the_risk_follows_what_changes(live, changes, tier):
    assert make_draft(make_next_version(live, **changes)).tier == tier


def test_a_member_of_a_known_provider_is_less_of_a_risk_than_one_of_another(live):
    known = live.members.first().model.provider
    assert make_draft(make_next_version(live, added=make_model(provider=known))).tier == 2
    assert make_draft(make_next_version(live, added=make_model())).tier == 3


def test_another_data_class_reaches_further(live):
    policy = {**make_change(live).policy, "data_class": "personal"}
    assert make_draft(make_next_version(live, weight=0.4), policy=policy).tier == 3


def test_wider_ranges_are_no_parameter(live):
    wider = Envelope(weights=(0.1, 0.5))
    assert make_draft(make_next_version(live, weight=0.4), envelope=wider).tier == 2
    assert make_draft(make_next_version(live, weight=0.41), envelope=Envelope(weights=(0.3, 0.5))).tier == 1


def test_a_parameter_needs_one_approval(live):
    request = make_submitted(make_next_version(live, weight=0.4))
    assert decide(request, make_approver()).state == "approved"


def test_what_is_empty_or_already_applied_is_no_change(live):
    with pytest.raises(InvalidChange, match="already the applied one"):
        make_draft(live)
    with pytest.raises(InvalidChange, match="in a sentence"):
        make_draft(make_next_version(live, weight=0.4), summary="  ")
    with pytest.raises(InvalidChange, match="of another version"):
        make_draft(make_next_version(live, weight=0.41), evidence={"candidate_hash": "x", "run": {"id": 1}})


def test_nothing_is_submitted_without_evidence():
    with pytest.raises(NoEvidence):
        make_submitted(make_first_version(), evidence={})


def test_nothing_is_submitted_that_the_contract_does_not_allow():
    without = make_model(provider=make_provider(contracted=False))
    with pytest.raises(GateClosed, match="no contract"):
        make_submitted(make_first_version([without]))


def test_nobody_decides_on_their_own_work():
    author, maker = make_user("product manager", "approver"), make_approver()
    version = make_next_version(make_first_version(), by=maker, weight=0.9)
    request = make_submitted(version, by=author)
    for person in (author, maker):
        with pytest.raises(WrongState, match=OWN_WORK):
            decide(request, person)
    editor = make_user("approver", "product manager")
    request = submit_change_request(request=edit(request, editor), by=author, now=SOON)
    with pytest.raises(WrongState, match=OWN_WORK):
        decide(request, editor)


@pytest.mark.parametrize("groups", [(), ("product manager",), ("viewer",)])
def test_only_approvers_decide_from_a_shell_too(groups):
    request = make_submitted(make_first_version())
    with pytest.raises(PermissionDenied):
        decide(request, make_user(*groups))
    with pytest.raises(PermissionDenied):
        decide(request, make_user(is_superuser=True))
    with pytest.raises(PermissionDenied):
        decide(request, make_approver(is_active=False))
    assert not ChangeDecision.objects.exists()


def test_a_person_decides_once_however_often_the_form_is_sent():
    request, approver = make_submitted(make_first_version()), make_approver()
    decide(request, approver)
    with pytest.raises(WrongState, match="already decided"):
        decide(request, approver)
    assert ChangeDecision.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("approved", "approved", "approved"),
        ("approved", "changes_requested", "changes_requested"),
        ("rejected", "approved", "rejected"),
        ("rejected", "changes_requested", "rejected"),
    ],
)
def test_the_state_tells_nothing_until_both_have_decided(first, second, outcome):
    request = make_submitted(make_first_version())
    assert decide(request, make_compliance(), first, "Because.").state == "submitted"
    said = AuditEntry.objects.get(action="change_request.decided")
    assert first not in str(said.detail)
    assert decide(request, make_approver(), second, "Because.").state == outcome
    assert AuditEntry.objects.get(action=f"change_request.{outcome}").detail["verdicts"] == sorted([first, second])


@pytest.mark.parametrize("verdict", ["rejected", "changes_requested"])
def test_a_refusal_says_why(verdict):
    request = make_submitted(make_first_version())
    with pytest.raises(WrongState, match="Say why"):
        decide(request, make_approver(), verdict, "  ")


def test_an_edit_after_the_approval_voids_it():
    request = make_approved(make_first_version())
    edited = edit(request, make_author())
    assert (edited.state, edited.revision, edited.expires_at) == ("draft", 2, None)
    with pytest.raises(WrongState, match="Only an approved"):
        apply_change_request(request=edited, by=make_approver(), now=SOON)
    again = edit(edited, make_author(), summary="Better on our tickets.")  # as it was approved, word for word
    again = submit_change_request(request=again, by=again.created_by, now=SOON)
    assert again.state == "submitted"
    with pytest.raises(WrongState):
        apply_change_request(request=again, by=make_approver(), now=SOON)
    assert applied_version(request.panel) is None


def test_a_decision_is_on_what_was_shown():
    request = make_submitted(make_first_version())
    shown = request.signed_hash
    again = edit(request, make_author())
    submit_change_request(request=again, by=again.created_by, now=SOON)
    with pytest.raises(ChangedMeanwhile):
        decide_change_request(
            request=request, verdict="approved", reason="", signed_hash=shown, by=make_approver(), now=SOON
        )


def test_two_tabs_cannot_edit_over_each_other():
    request = make_draft(make_first_version())
    edit(request, request.created_by)
    stale = ChangeRequest.objects.get(pk=request.pk)
    stale.revision = 1
    with pytest.raises(ChangedMeanwhile):
        edit(stale, request.created_by)


def test_another_version_applied_in_between_makes_the_request_outdated(live):
    request = make_approved(make_next_version(live, weight=0.4))
    make_applied(make_next_version(live, weight=0.9))
    with pytest.raises(Outdated, match="Another version"):
        apply_change_request(request=request, by=make_approver(), now=SOON)
    waiting = make_draft(make_next_version(live, weight=0.45))
    make_applied(make_next_version(live, weight=0.95))
    with pytest.raises(Outdated):
        submit_change_request(request=waiting, by=waiting.created_by, now=SOON)


def test_who_is_asked_and_who_wrote_it_get_mail(django_capture_on_commit_callbacks):
    author = make_author(email="author@quorum.example")
    approver, compliance = make_approver(email="one@quorum.example"), make_compliance(email="two@quorum.example")
    make_approver(email="gone@quorum.example", is_active=False)
    with django_capture_on_commit_callbacks(execute=True):
        request = make_submitted(make_first_version(), by=author)
    assert {to for message in mail.outbox for to in message.to} == {approver.email, compliance.email}
    assert f"/changes/{request.pk}/" in mail.outbox[0].body
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        decide(request, approver)
    assert mail.outbox == []
    with django_capture_on_commit_callbacks(execute=True):
        decide(request, compliance)
    assert [message.to for message in mail.outbox] == [[author.email]]
    assert "is approved" in mail.outbox[0].subject


@pytest.mark.parametrize(("passed", "state"), [(timedelta(microseconds=-1), "submitted"), (timedelta(0), "expired")])
def test_a_request_expires_at_its_hour_and_not_before(passed, state):
    request = make_submitted(make_first_version())
    moment = request.expires_at + passed
    assert expire_change_requests(now=moment) == (state == "expired")
    request.refresh_from_db()
    assert request.state == state


def test_an_expired_request_is_neither_decided_nor_applied_though_no_sweep_has_come_by():
    request = make_submitted(make_first_version())
    over = NOW + OPEN_FOR
    with pytest.raises(WrongState, match="expired"):
        decide(request, make_approver(), now=over)
    approved = make_approved(make_first_version())
    with pytest.raises(WrongState, match="expired"):
        apply_change_request(request=approved, by=make_approver(), now=over)
    just = over - timedelta(microseconds=1)
    assert apply_change_request(request=approved, by=make_approver(), now=just).state == "applied"


def test_an_applied_or_closed_request_does_not_expire(live):
    request = make_submitted(make_next_version(live, weight=0.4))
    withdraw_change_request(request=request, by=request.created_by, now=SOON)
    assert expire_change_requests(now=NOW + OPEN_FOR * 2) == 0
    with pytest.raises(WrongState, match="still open"):
        withdraw_change_request(request=request, by=request.created_by, now=SOON)


def test_a_contract_that_ends_between_approval_and_application_keeps_it_from_being_applied():
    provider = make_provider(contracted=False)
    make_contract(provider, valid_until=NOW.date())
    request = make_approved(make_first_version([make_model(provider=provider)]))
    with pytest.raises(GateClosed, match="ended"):
        apply_change_request(request=request, by=make_approver(), now=NOW + timedelta(days=1))
    request.refresh_from_db()
    assert (request.state, PanelApplication.objects.count()) == ("approved", 0)
