from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from panels.models import AuditEntry
from tests.factories import make_user

pytestmark = pytest.mark.django_db
STRONG = "a long enough word"


@pytest.fixture
def administrator(client):
    """A browser with a person logged in who manages people, and may not do everything."""
    client.force_login(make_user("administrator", username="ada", is_staff=True))
    AuditedSince.mark()
    return client


class AuditedSince:
    """The entries that a test brought about, without those of its preparation."""

    start = 0

    @classmethod
    def mark(cls):
        cls.start = AuditEntry.objects.count()

    @classmethod
    def entries(cls):
        rows = AuditEntry.objects.filter(sequence__gt=cls.start).order_by("sequence")
        return [(row.action, row.subject, row.actor_name, row.detail) for row in rows]


def saved(person, **changes):
    """What the form of a person sends, as it was shown but for the changes."""
    fields = {
        "username": person.username,
        "is_active": "on" if person.is_active else "",
        "is_staff": "on" if person.is_staff else "",
        "is_superuser": "on" if person.is_superuser else "",
        "groups": [group.pk for group in person.groups.all()],
    }
    return {name: value for name, value in (fields | changes).items() if value != ""}


def page_of(person):
    return f"/admin/auth/user/{person.pk}/change/"


def group(name):
    return Group.objects.get(name=name)


def test_a_new_person_is_recorded(administrator):
    answer = administrator.post(
        "/admin/auth/user/add/",
        {"username": "nora", "usable_password": "true", "password1": STRONG, "password2": STRONG},
    )
    assert answer.status_code == 302
    assert AuditedSince.entries() == [("user.created", "user:nora", "ada", {"active": {"from": False, "to": True}})]


def test_a_change_of_groups_is_recorded(administrator):
    person = make_user("viewer", username="nora")
    groups = [group("viewer").pk, group("approver").pk]
    assert administrator.post(page_of(person), saved(person, groups=groups, is_staff="on")).status_code == 302
    assert set(person.groups.values_list("name", flat=True)) == {"viewer", "approver"}
    detail = {"staff": {"from": False, "to": True}, "groups": {"from": ["viewer"], "to": ["approver", "viewer"]}}
    assert AuditedSince.entries() == [("user.access_changed", "user:nora", "ada", detail)]


def test_a_change_of_something_else_is_not(administrator):
    person = make_user("viewer")
    assert administrator.post(page_of(person), saved(person, first_name="Nora")).status_code == 302
    assert AuditedSince.entries() == []


def test_a_password_that_is_set_is_recorded_and_not_kept(administrator):
    person = make_user(username="nora")
    sent = {"usable_password": "true", "password1": STRONG, "password2": STRONG, "set-password": "1"}
    assert administrator.post(f"/admin/auth/user/{person.pk}/password/", sent).status_code == 302
    person.refresh_from_db()
    assert person.check_password(STRONG)
    assert AuditedSince.entries() == [("user.password_set", "user:nora", "ada", {})]


def test_nobody_raises_themselves(administrator):
    ada = User.objects.get(username="ada")
    wanted = saved(ada, groups=[group("approver").pk, group("administrator").pk], is_superuser="on")
    administrator.post(page_of(ada), wanted | {"user_permissions": [Permission.objects.first().pk]})
    ada.refresh_from_db()
    assert [row.name for row in ada.groups.all()] == ["administrator"]
    assert not ada.is_superuser
    assert not ada.user_permissions.exists()
    assert AuditedSince.entries() == []


def test_nobody_is_raised_above_groups_by_an_administrator(administrator):
    person = make_user("viewer")
    wanted = saved(person, is_superuser="on") | {"user_permissions": [Permission.objects.first().pk]}
    administrator.post(page_of(person), wanted)
    person.refresh_from_db()
    assert not person.is_superuser
    assert not person.user_permissions.exists()


def test_who_may_do_everything_is_changed_by_their_like_alone(administrator):
    root = make_user(username="root", is_superuser=True, is_staff=True)
    assert administrator.post(page_of(root), saved(root, is_active="")).status_code == 403
    assert administrator.post(f"/admin/auth/user/{root.pk}/password/", {}).status_code == 403


def test_nobody_is_deleted(client):
    client.force_login(make_user(is_superuser=True, is_staff=True))
    person, role = make_user(), group("viewer")
    assert client.post(f"/admin/auth/user/{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/auth/group/{role.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"})
    assert User.objects.filter(pk=person.pk).exists()


def test_a_superuser_gives_single_permissions(client):
    client.force_login(make_user(username="root", is_superuser=True, is_staff=True))
    AuditedSince.mark()
    person = make_user(username="nora")
    permission = Permission.objects.get(codename="add_run")
    client.post(page_of(person), saved(person) | {"user_permissions": [permission.pk]})
    detail = {"permissions": {"from": [], "to": ["evaluation.add_run"]}}
    assert AuditedSince.entries() == [("user.access_changed", "user:nora", "root", detail)]


def test_a_changed_group_is_recorded(administrator):
    role, permission = group("viewer"), Permission.objects.get(codename="add_run")
    sent = {"name": "viewer", "permissions": [permission.pk]}
    assert administrator.post(f"/admin/auth/group/{role.pk}/change/", sent).status_code == 302
    ((action, subject, actor, detail),) = AuditedSince.entries()
    assert (action, subject, actor) == ("group.changed", f"group:{role.pk}", "ada")
    assert detail["permissions"]["to"] == ["evaluation.add_run"]
    assert "panels.view_panel" in detail["permissions"]["from"]
    administrator.post(f"/admin/auth/group/{role.pk}/change/", sent)
    assert len(AuditedSince.entries()) == 1


def test_a_new_group_is_recorded(administrator):
    assert administrator.post("/admin/auth/group/add/", {"name": "guests"}).status_code == 302
    detail = {"name": "guests", "permissions": []}
    assert AuditedSince.entries() == [("group.created", f"group:{group('guests').pk}", "ada", detail)]


def test_an_administrator_does_not_change_their_own_group(administrator):
    assert administrator.post(f"/admin/auth/group/{group('administrator').pk}/change/", {}).status_code == 403


@pytest.mark.parametrize("name", ["approver", "compliance"])
def test_others_change_neither_people_nor_groups(client, name):
    client.force_login(make_user(name, is_staff=True))
    person = make_user("viewer")
    assert client.post(page_of(person), saved(person)).status_code == 403
    assert client.post(f"/admin/auth/group/{group('viewer').pk}/change/", {"name": "x"}).status_code == 403
