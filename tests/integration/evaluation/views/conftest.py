from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client


def _client_of(group: str, name: str) -> Client:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager(db) -> Client:
    return _client_of("product manager", "mara")


@pytest.fixture
def viewer(db) -> Client:
    return _client_of("viewer", "vito")
