from __future__ import annotations

import pytest
from django.urls import reverse

from panels.models import AuditEntry
from panels.services.sign_ins import UNKNOWN
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return make_user(username="mara", password="right-password", is_staff=True)


def entries():
    return [(entry.action, entry.subject, entry.actor_name) for entry in AuditEntry.objects.order_by("sequence")]


@pytest.mark.parametrize("page", ["login", "admin:login"])
def test_signing_in_and_out_is_recorded(client, person, page):
    client.post(reverse(page), {"username": "mara", "password": "right-password"})
    client.post(reverse("logout"))
    assert entries() == [("user.signed_in", "user:mara", "mara"), ("user.signed_out", "user:mara", "mara")]


def test_a_wrong_password_is_recorded_without_an_actor(client, person):
    client.post(reverse("login"), {"username": "mara", "password": "wrong"})
    assert entries() == [("user.sign_in_failed", "user:mara", "")]


@pytest.mark.parametrize("typed", ["my-secret-password", "a\0b"])
def test_what_is_no_login_name_is_not_kept(client, person, typed):
    client.post(reverse("login"), {"username": typed, "password": "wrong"})
    assert [entry for entry in entries() if entry[1] != f"user:{UNKNOWN}"] == []
    assert typed not in str(AuditEntry.objects.values_list())


def test_leaving_without_having_come_in_is_nothing(client):
    client.post(reverse("logout"))
    assert entries() == []
