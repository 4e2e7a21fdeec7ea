from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from evaluation.models import ApiKey
from evaluation.policies import WrongState, require_key_scope
from evaluation.services.api_keys import (
    InvalidApiKey,
    RefusedApiKey,
    authenticate_api_key,
    create_api_key,
    revoke_api_key,
    rotate_api_key,
)
from panels.models import AuditEntry
from tests.factories import NOW, make_user, make_workflow

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def make_key(name="Sales desk", **fields):
    settings = {"workflows": [make_workflow()], "expires_at": None, "by": None, "now": NOW} | fields
    return create_api_key(name=name, **settings)


def lets_in(text, now=NOW):
    try:
        return authenticate_api_key(text=text, now=now)
    except RefusedApiKey:
        return None


def test_a_key_lets_in_and_is_stored_as_a_hash_alone():
    fresh = make_key()
    scheme, prefix, secret = fresh.text.split("_", 2)
    assert (scheme, prefix) == ("qk", fresh.key.prefix)
    assert len(secret) == 43  # 256 bits, six to a letter
    row = ApiKey.objects.values().get()
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)
    assert lets_in(fresh.text) == fresh.key


def test_two_keys_have_nothing_in_common():
    one, other = make_key("One"), make_key("Other")
    assert one.key.prefix != other.key.prefix
    assert one.text.split("_", 2)[2] != other.text.split("_", 2)[2]


def test_what_is_no_key_lets_nobody_in():
    one, other = make_key("One").text, make_key("Other").text
    crossed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])
    wrong = ["", "qk", "qk_", "qk__", one[:-1], one + "x", one.replace("qk_", "xx_"), crossed, "qk_a\0b_c", "\ud800"]
    assert [text for text in wrong if lets_in(text)] == []


def test_an_expired_key_lets_nobody_in_from_its_last_moment_on():
    fresh = make_key(expires_at=NOW + DAY)
    assert lets_in(fresh.text, NOW + DAY - timedelta(microseconds=1))
    assert not lets_in(fresh.text, NOW + DAY)


def test_a_revoked_key_lets_nobody_in_and_is_revoked_once():
    fresh = make_key()
    revoke_api_key(key=fresh.key, by=None, now=NOW)
    assert not lets_in(fresh.text)
    with pytest.raises(WrongState, match="revoked already"):
        revoke_api_key(key=fresh.key, by=None, now=NOW)


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    fresh = make_key()
    seen = []
    for seconds in (0, 30, 59, 60, 61):
        lets_in(fresh.text, NOW + timedelta(seconds=seconds))
        seen.append(ApiKey.objects.get().last_used_at)
    assert seen == [NOW + timedelta(seconds=at) for at in (0, 0, 0, 60, 60)]
    with django_assert_num_queries(2):
        lets_in(fresh.text, NOW)


def test_a_key_is_for_its_own_workflows():
    key = make_key(workflows=[make_workflow(slug="sales"), make_workflow(slug="support")]).key
    scope = set(key.workflows.values_list("slug", flat=True))
    require_key_scope("sales", scope)
    with pytest.raises(WrongState, match="not for the workflow summaries"):
        require_key_scope("summaries", scope)


WRONG = [
    ("name", {"name": " "}, "Say which program"),
    ("workflows", {"workflows": []}, "at least one workflow"),
    ("expires_at", {"expires_at": NOW}, "later day"),
]


@pytest.mark.parametrize(("field", "wrong", "words"), WRONG)
def test_a_wrong_key_is_refused_with_its_field(field, wrong, words):
    with pytest.raises(InvalidApiKey, match=words) as caught:
        make_key(**wrong)
    assert [name for name, _ in caught.value.problems] == [field]
    assert not ApiKey.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_name_is_free_again_once_its_key_lets_nobody_in():
    first = make_key().key
    with pytest.raises(InvalidApiKey, match="in use"):
        make_key()
    revoke_api_key(key=first, by=None, now=NOW)
    assert make_key().key.pk != first.pk


def test_a_rotated_key_lets_in_beside_the_new_one_until_it_ends():
    old = make_key(expires_at=NOW + 90 * DAY)
    fresh = rotate_api_key(key=old.key, overlap=DAY, by=None, now=NOW + DAY)
    assert lets_in(old.text, NOW + DAY)
    assert lets_in(fresh.text, NOW + DAY)
    assert not lets_in(old.text, NOW + 2 * DAY)
    assert (fresh.key.name, fresh.key.rotated_from) == (old.key.name, old.key)
    assert set(fresh.key.workflows.all()) == set(old.key.workflows.all())
    assert fresh.key.expires_at == NOW + 91 * DAY


def test_a_rotation_without_an_overlap_ends_the_old_key_at_once():
    old = make_key()
    fresh = rotate_api_key(key=old.key, overlap=timedelta(), by=None, now=NOW)
    assert not lets_in(old.text)
    assert lets_in(fresh.text)
    assert fresh.key.expires_at is None


def test_a_rotation_does_not_lengthen_the_old_key():
    old = make_key(expires_at=NOW + timedelta(hours=1))
    rotate_api_key(key=old.key, overlap=30 * DAY, by=None, now=NOW)
    assert not lets_in(old.text, NOW + timedelta(hours=1))
    other = make_key("Other")
    rotate_api_key(key=other.key, overlap=30 * DAY, by=None, now=NOW)
    assert not lets_in(other.text, NOW + 7 * DAY)


def test_a_key_is_replaced_once_and_only_while_it_lets_in():
    old = make_key().key
    rotate_api_key(key=old, overlap=DAY, by=None, now=NOW)
    with pytest.raises(WrongState, match="replaced already"):
        rotate_api_key(key=old, overlap=DAY, by=None, now=NOW)
    with pytest.raises(WrongState, match="lets nobody in"):
        rotate_api_key(key=old, overlap=DAY, by=None, now=NOW + DAY)
    other = make_key("Other").key
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk=other.pk).update(rotated_from=old)


def test_what_happens_to_a_key_is_recorded_without_its_secret():
    person, workflow = make_user(), make_workflow(slug="sales")
    old = make_key(workflows=[workflow], by=person, expires_at=NOW + DAY)
    fresh = rotate_api_key(key=old.key, overlap=timedelta(), by=person, now=NOW)
    revoke_api_key(key=fresh.key, by=None, now=NOW)
    ends = (NOW + DAY).isoformat()
    scope = {"workflows": ["sales"], "expires_at": ends}
    assert [(row.action, row.subject, row.actor, row.detail) for row in AuditEntry.objects.order_by("pk")] == [
        ("key.created", f"key:{old.key.prefix}", person, scope),
        ("key.rotated", f"key:{fresh.key.prefix}", person, scope | {"replaces": old.key.prefix}),
        ("key.revoked", f"key:{fresh.key.prefix}", None, {}),
    ]
    written = str(list(AuditEntry.objects.values()))
    assert old.text.split("_", 2)[2] not in written
    assert fresh.text.split("_", 2)[2] not in written
