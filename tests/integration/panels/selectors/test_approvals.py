from __future__ import annotations

from datetime import timedelta

import pytest

from panels.selectors.approvals import approvals_in_force
from panels.services.change_applications import apply_change_request, roll_back
from tests.change_factories import (
    SOON,
    decide,
    make_applied,
    make_approver,
    make_author,
    make_compliance,
    make_first_version,
    make_next_version,
    make_submitted,
)

pytestmark = pytest.mark.django_db


def test_an_answer_is_given_under_what_was_in_force_then():
    first = make_first_version()
    request = make_submitted(first, makes_baseline=True)
    decide(request, make_compliance(username="cora"))
    decide(request, make_approver(username="anton"), now=SOON + timedelta(minutes=1))
    request = apply_change_request(request=request, by=None, now=SOON + timedelta(minutes=2))
    second = make_next_version(first, weight=0.9)
    assert approvals_in_force(first, at=SOON) == ()
    assert approvals_in_force(second, at=SOON + timedelta(minutes=2)) == ()
    (approval,) = approvals_in_force(first, at=SOON + timedelta(minutes=2))
    assert (approval.approvers, approval.tier, approval.signed_hash) == (("cora", "anton"), 3, request.signed_hash)


def test_a_fall_back_stands_on_the_approval_of_the_baseline():
    first = make_first_version()
    approved = make_applied(first, makes_baseline=True)
    make_applied(make_next_version(first, weight=0.9))
    later = SOON + timedelta(hours=1)
    fall_back = roll_back(version=first, reason="Worse.", by=make_author(), now=later)
    found = approvals_in_force(first, at=later)
    assert [(one.tier, len(one.approvers)) for one in found] == [(0, 0), (3, 2)]
    assert [one.signed_hash for one in found] == [fall_back.signed_hash, approved.signed_hash]
