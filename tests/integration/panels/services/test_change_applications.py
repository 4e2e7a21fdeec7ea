from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection

from panels.gate import GateClosed
from panels.models import AuditEntry, ChangeRequest, Contract, PanelApplication
from panels.policies import OPEN_FOR, WrongState
from panels.selectors.applications import applied_numbers, applied_version, approved_baseline, current_application
from panels.selectors.change_sides import votes_of
from panels.services.change_applications import (
    NotApproved,
    apply_change_request,
    apply_scheduled,
    roll_back,
    schedule_change_request,
    unschedule_change_request,
)
from panels.services.change_requests import Outdated
from panels.tasks import sweep_changes
from tests.change_factories import (
    SOON,
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
from tests.factories import NOW, make_contract, make_model, make_provider
from tests.triggers import triggers_off

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=2)


def reload(request):
    return ChangeRequest.objects.get(pk=request.pk)


def test_what_was_approved_becomes_the_live_version_and_history_grows():
    first = make_first_version()
    assert applied_version(first.panel) is None
    one = make_applied(first)
    second = make_next_version(first, weight=0.9)
    two = make_applied(second)
    assert applied_version(first.panel) == second
    assert applied_numbers([first.panel_id]) == {first.panel_id: 2}
    assert (reload(one).state, two.state, two.base) == ("superseded", "applied", first)
    assert list(PanelApplication.objects.order_by("number").values_list("number", "version__number")) == [
        (1, 1),
        (2, 2),
    ]
    assert AuditEntry.objects.filter(action="change_request.applied").count() == 2


@pytest.mark.parametrize("make", [make_draft, make_submitted])
def test_what_is_not_approved_is_not_applied(make):
    request = make(make_first_version())
    with pytest.raises(WrongState, match="Only an approved"):
        apply_change_request(request=request, by=make_approver(), now=SOON)


def test_a_form_that_is_sent_again_applies_nothing_twice():
    request = make_applied(make_first_version())
    with pytest.raises(WrongState):
        apply_change_request(request=request, by=make_approver(), now=SOON)
    assert PanelApplication.objects.count() == 1


def test_a_state_that_was_written_by_hand_is_no_approval():
    request = make_submitted(make_first_version())
    decide(request, make_approver())
    ChangeRequest.objects.filter(pk=request.pk).update(state="approved")
    with pytest.raises(NotApproved):
        apply_change_request(request=request, by=make_approver(), now=SOON)


@pytest.mark.parametrize(
    ("model", "columns"),
    [(ChangeRequest, {"evidence": {"run": {"id": 2}}}), (ChangeRequest, {"summary": "Something else."})],
)
def test_what_was_changed_behind_the_back_is_not_applied(model, columns):
    request = make_approved(make_first_version())
    with triggers_off():
        model.objects.filter(pk=request.pk).update(**columns)
    with pytest.raises(Outdated, match="hash"):
        apply_change_request(request=request, by=make_approver(), now=SOON)


def test_a_member_that_was_changed_behind_the_back_is_not_applied():
    request = make_approved(make_first_version())
    with triggers_off():
        request.candidate.members.update(weight=0.9)
    with pytest.raises(Outdated, match="hash"):
        apply_change_request(request=request, by=make_approver(), now=SOON)


# At a set time


def test_a_scheduled_request_is_applied_when_it_is_time():
    request = make_approved(make_first_version())
    scheduled = schedule_change_request(request=request, at=LATER, by=request.created_by, now=SOON)
    assert (scheduled.state, scheduled.scheduled_for) == ("scheduled", LATER)
    assert apply_scheduled(now=LATER - timedelta(microseconds=1)) == 0
    assert apply_scheduled(now=LATER) == 1
    assert (reload(request).state, current_application(request.panel).applied_by) == ("applied", None)
    assert apply_scheduled(now=LATER) == 0


@pytest.mark.parametrize("at", [SOON, NOW + OPEN_FOR])
def test_a_time_that_is_over_or_past_the_expiry_cannot_be_set(at):
    request = make_approved(make_first_version())
    with pytest.raises(WrongState):
        schedule_change_request(request=request, at=at, by=request.created_by, now=SOON)


def test_a_schedule_can_be_taken_back():
    request = make_approved(make_first_version())
    schedule_change_request(request=request, at=LATER, by=request.created_by, now=SOON)
    taken_back = unschedule_change_request(request=request, by=request.created_by, now=SOON)
    assert (taken_back.state, apply_scheduled(now=LATER)) == ("approved", 0)
    with pytest.raises(WrongState, match="not scheduled"):
        unschedule_change_request(request=request, by=request.created_by, now=SOON)


def test_everything_is_checked_again_when_it_is_time(django_capture_on_commit_callbacks):
    provider = make_provider(contracted=False)
    make_contract(provider, valid_until=NOW.date())
    author = make_author(email="author@quorum.example")
    request = make_approved(make_first_version([make_model(provider=provider)]), by=author)
    schedule_change_request(request=request, at=LATER, by=author, now=SOON)
    with django_capture_on_commit_callbacks(execute=True):
        assert apply_scheduled(now=LATER) == 0
    refused = reload(request)
    assert (refused.state, refused.scheduled_for) == ("approved", None)
    assert "ended" in refused.refusal
    assert "could not be applied" in mail.outbox[0].subject
    assert "ended" in mail.outbox[0].body


def test_the_sweep_closes_and_applies_what_is_due(monkeypatch):
    due, over = make_approved(make_first_version()), make_submitted(make_first_version())
    schedule_change_request(request=due, at=LATER, by=due.created_by, now=SOON)
    monkeypatch.setattr("panels.tasks.timezone.now", lambda: LATER)
    sweep_changes()
    assert (reload(due).state, reload(over).state) == ("applied", "submitted")
    monkeypatch.setattr("panels.tasks.timezone.now", lambda: NOW + OPEN_FOR)
    sweep_changes()
    assert reload(over).state == "expired"


# And back again


@pytest.fixture
def three():
    """Three versions that were applied in turn; the first is the approved baseline."""
    first = make_first_version()
    make_applied(first, makes_baseline=True)
    second = make_next_version(first, weight=0.7)
    make_applied(second)
    third = make_next_version(first, weight=0.9)
    make_applied(third)
    return first, second, third


def test_falling_back_to_the_approved_baseline_needs_nobody_and_is_reviewed_after(three):
    first, _, _ = three
    manager = make_author()
    request = roll_back(version=first, reason="Answers got worse.", by=manager, now=SOON)
    assert (request.state, request.tier, request.is_rollback) == ("applied", 0, True)
    assert applied_version(first.panel) == first
    assert approved_baseline(first.panel) == first
    assert PanelApplication.objects.filter(panel=first.panel).count() == 4
    with pytest.raises(WrongState):
        decide(request, make_approver(), "rejected")
    assert decide(request, make_approver(), "rejected", "It was the provider.").state == "applied"
    assert len(votes_of(request)) == 1


def test_rolling_back_to_another_approved_version_asks_as_its_risk_asks(three):
    first, second, third = three
    request = roll_back(version=second, reason="Too dear.", by=make_author(), now=SOON)
    assert (request.state, request.tier, applied_version(first.panel)) == ("submitted", 2, third)
    decide(request, make_approver())
    approved = decide(request, make_approver())
    apply_change_request(request=approved, by=make_approver(), now=SOON)
    assert applied_version(first.panel) == second
    assert ChangeRequest.objects.get(candidate=third).state == "rolled_back"


def test_nobody_rolls_back_to_what_was_never_approved(three):
    first, _, third = three
    with pytest.raises(WrongState, match="Nobody has approved"):
        roll_back(version=make_next_version(first, weight=0.1), reason="x", by=make_author(), now=SOON)
    with pytest.raises(Exception, match="already the applied one"):
        roll_back(version=third, reason="x", by=make_author(), now=SOON)


def test_a_baseline_whose_contract_ended_cannot_be_fallen_back_to(three):
    first, _, _ = three
    with triggers_off():
        Contract.objects.update(valid_until=NOW.date())
    with pytest.raises(GateClosed):
        roll_back(version=first, reason="Worse.", by=make_author(), now=NOW + timedelta(days=1))
    assert not ChangeRequest.objects.filter(is_rollback=True).exists()


# Two at once


@pytest.mark.django_db(transaction=True)
def test_of_two_approvers_who_apply_at_once_one_does():
    request = make_approved(make_first_version())
    outcomes = _at_once([lambda: apply_change_request(request=reload(request), by=None, now=SOON)] * 2)
    assert sorted(outcomes) == ["WrongState", "done"]
    assert PanelApplication.objects.count() == 1
    assert reload(request).state == "applied"


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_for_one_panel_that_are_applied_at_once_one_is():
    first = make_first_version()
    requests = [make_approved(make_next_version(first, weight=weight)) for weight in (0.7, 0.8)]
    outcomes = _at_once(
        [lambda one=one: apply_change_request(request=reload(one), by=None, now=SOON) for one in requests]
    )
    assert outcomes.count("done") == 1
    assert PanelApplication.objects.count() == 1
    assert sorted(reload(one).state for one in requests) == ["applied", "approved"]


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_are_both_counted():
    request = make_submitted(make_first_version())
    people = [make_approver(), make_compliance()]
    # Whoever comes second sees the other's, so that the request never waits for a third.
    outcomes = _at_once([lambda person=person: decide(reload(request), person) for person in people])
    assert outcomes == ["done", "done"]
    assert reload(request).state == "approved"


@pytest.mark.django_db(transaction=True)
def test_a_scheduled_request_that_two_sweeps_find_is_applied_once():
    request = make_approved(make_first_version())
    schedule_change_request(request=request, at=LATER, by=request.created_by, now=SOON)
    _at_once([lambda: apply_scheduled(now=LATER)] * 2)
    assert PanelApplication.objects.count() == 1
    assert reload(request).state == "applied"


def _at_once(actions):
    """What became of each, all begun at the same moment on connections of their own."""
    barrier, outcomes = threading.Barrier(len(actions)), []

    def act(action):
        try:
            barrier.wait(10)
            action()
            outcomes.append("done")
        except WrongState:
            outcomes.append("WrongState")
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes
