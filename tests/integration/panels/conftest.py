from __future__ import annotations

import os

import pytest
from django.contrib.auth.models import Group, User

# What workers tell each other needs a real Redis; make test-services names one.
collect_ignore = [] if os.environ.get("QUORUM_TEST_SERVICES") == "1" else ["test_redis_board.py"]


def _client_of(client, name, group):
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


@pytest.fixture
def manager(db, client):
    """A browser with a product manager logged in."""
    return _client_of(client, "mara", "product manager")


@pytest.fixture
def viewer(db, client):
    """A browser with a person logged in who may only read."""
    return _client_of(client, "vito", "viewer")
