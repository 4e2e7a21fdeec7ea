from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from panels.models import ChangeDecision, ChangeRequest, PanelApplication
from tests.change_factories import (
    decide,
    make_applied,
    make_approver,
    make_compliance,
    make_first_version,
    make_next_version,
    make_submitted,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """The hour of the factories: requests expire."""
    from tests.change_factories import SOON

    monkeypatch.setattr("django.utils.timezone.now", lambda: SOON)


@pytest.fixture
def request_(db):
    first = make_first_version()
    make_applied(first)
    return make_submitted(make_next_version(first, weight=0.5))


def address(request):
    return f"/admin/panels/changerequest/{request.pk}/change/"


def post(client, request, verdict, reason=""):
    data = {"verdict": verdict, "reason": reason, "signed_hash": request.signed_hash}
    return client.post(address(request), data)


def test_an_approver_decides_from_the_page_of_the_object(client, request_):
    client.force_login(make_approver(is_staff=True))
    page = client.get(address(request_)).content.decode()
    for words in ("weight 0.3 → 0.5", "Measured, run 1", "Nothing fails.", "Approve v2", "Readable page"):
        assert words in page, words
    assert "Say why" in post(client, request_, "rejected").content.decode()
    assert post(client, request_, "rejected", "Not now.").status_code == 302
    assert ChangeDecision.objects.get(verdict="rejected").reason == "Not now."
    assert "You have decided" in client.get(address(request_)).content.decode()
    assert "already decided" in post(client, request_, "approved").content.decode()


def test_the_admin_keeps_approvers_blind(client, request_):
    decide(request_, make_compliance(username="cora"), "rejected", "Too dear.")
    client.force_login(make_approver(is_staff=True))
    page = client.get(address(request_)).content.decode()
    assert "Somebody has decided" in page
    assert "Too dear" not in page
    assert "cora" not in page


def test_nobody_but_an_approver_decides_and_nothing_is_written_by_hand(client, request_):
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(address(request_)).status_code == 200
    assert post(client, request_, "approved").status_code == 403
    assert client.post(address(request_), {"state": "approved"}).status_code == 403
    assert client.get("/admin/panels/changerequest/add/").status_code == 403
    assert client.post(f"/admin/panels/changerequest/{request_.pk}/delete/", {"post": "yes"}).status_code == 403
    for kind in ("changerequest", "panelapplication", "panelversion"):
        bulk = {"action": "delete_selected", "_selected_action": [1, 2], "index": 0}
        client.post(f"/admin/panels/{kind}/", bulk)
    assert (ChangeRequest.objects.count(), PanelApplication.objects.count()) == (2, 1)
    assert ChangeRequest.objects.get(pk=request_.pk).state == "submitted"


def test_the_lists_offer_no_action_in_bulk(client, request_):
    client.force_login(make_approver(is_staff=True))
    page = client.get("/admin/panels/changerequest/", {"state": "submitted"}).content.decode()
    assert 'name="action"' not in page
    assert "v2" in page
    client.force_login(User.objects.create_superuser("root"))
    assert client.get("/admin/panels/panelapplication/").status_code == 200
    assert client.get("/admin/panels/changerequest/999/change/").status_code == 302
