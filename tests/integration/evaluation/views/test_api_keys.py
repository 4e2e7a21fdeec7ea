from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse
from django.utils import timezone

from evaluation.models import ApiKey
from evaluation.services.api_keys import authenticate_api_key, create_api_key
from tests.factories import make_user, make_workflow

pytestmark = pytest.mark.django_db
KEYS, NEW = reverse("evaluation:keys"), reverse("evaluation:key-create")


@pytest.fixture(params=["product manager", "administrator"])
def manager(request, client):
    client.force_login(make_user(request.param))
    return client


def make_key(name="Sales desk", **fields):
    now = timezone.now()
    settings = {"workflows": [make_workflow()], "expires_at": None, "by": None, "now": now} | fields
    return create_api_key(name=name, **settings)


def page_of(answer):
    return BeautifulSoup(answer.content, "html.parser")


def shown_key(answer):
    return page_of(answer).select_one("[data-secret]").text


def test_a_key_is_made_and_shown_once(manager):
    workflow = make_workflow(name="Sales")
    answer = manager.post(NEW, {"name": "Desk", "workflows": [workflow.pk], "last_day": ""})
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    text = shown_key(answer)
    key = authenticate_api_key(text=text, now=timezone.now())
    assert (key.name, list(key.workflows.all())) == ("Desk", [workflow])
    assert key.created_by is not None
    for address in (KEYS, NEW, f"{KEYS}?export=jsonl"):
        later = manager.get(address)
        content = later.getvalue() if later.streaming else later.content
        assert text.split("_", 2)[2] not in content.decode()


def test_sending_the_form_again_makes_no_second_key(manager):
    sent = {"name": "Desk", "workflows": [make_workflow().pk]}
    assert manager.post(NEW, sent).status_code == 201
    again = manager.post(NEW, sent)
    assert again.status_code == 422
    assert "in use. Rotate it" in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_wrong_form_says_what_to_do(manager):
    answer = manager.post(NEW, {"name": "", "last_day": "2001-01-01"})
    assert answer.status_code == 422
    words = page_of(answer).text
    assert "Choose at least one workflow" in words
    past = manager.post(NEW, {"name": "Desk", "workflows": [make_workflow().pk], "last_day": "2001-01-01"})
    assert "Choose a later day" in page_of(past).text


def test_a_last_day_is_meant_to_its_end(manager):
    day = timezone.localdate() + timedelta(days=3)
    manager.post(NEW, {"name": "Desk", "workflows": [make_workflow().pk], "last_day": day.isoformat()})
    ends = timezone.localtime(ApiKey.objects.get().expires_at)
    assert (ends.date(), ends.hour) == (day + timedelta(days=1), 0)


def test_a_key_is_rotated_and_the_new_one_shown(manager):
    old = make_key()
    address = reverse("evaluation:key-rotate", args=[old.key.pk])
    assert "The old key ends" in page_of(manager.get(address)).text
    assert manager.post(address, {"overlap": "3"}).status_code == 422
    answer = manager.post(address, {"overlap": "24"})
    fresh = authenticate_api_key(text=shown_key(answer), now=timezone.now())
    assert fresh.rotated_from == old.key
    assert old.key.prefix in page_of(answer).text
    assert authenticate_api_key(text=old.text, now=timezone.now()) == old.key
    refused = manager.post(address, {"overlap": "24"}, follow=True)
    assert "replaced already" in refused.content.decode()


def test_a_key_is_revoked_once(manager):
    key = make_key().key
    address = reverse("evaluation:key-revoke", args=[key.pk])
    assert "lets nobody in any more" in manager.post(address, follow=True).content.decode()
    assert "revoked already" in manager.post(address, follow=True).content.decode()


def names(answer):
    return [row.th.span.text for row in page_of(answer).select("#rows tbody tr")]


def test_the_list_is_filtered_and_sorted_by_its_address(manager):
    now, sales = timezone.now(), make_workflow(slug="sales")
    make_key("Alpha", workflows=[sales])
    make_key("Beta", now=now - timedelta(days=3), expires_at=now - timedelta(days=1))
    gamma = make_key("Gamma").key
    manager.post(reverse("evaluation:key-revoke", args=[gamma.pk]))
    wanted = {
        "": ["Gamma", "Alpha", "Beta"],
        "?sort=name": ["Alpha", "Beta", "Gamma"],
        "?sort=used": ["Alpha", "Beta", "Gamma"],
        "?state=usable": ["Alpha"],
        "?state=expired": ["Beta"],
        "?state=revoked": ["Gamma"],
        "?workflow=sales": ["Alpha"],
        "?q=bet": ["Beta"],
        f"?q={gamma.prefix}": ["Gamma"],
        "?q=a%00&sort=nonsense&state=nonsense": ["Gamma", "Alpha", "Beta"],
    }
    assert {query: names(manager.get(KEYS + query)) for query in wanted} == wanted
    assert "No key matches" in manager.get(f"{KEYS}?q=nothing").content.decode()


def test_an_empty_list_says_what_a_key_is_for(manager):
    assert "A program needs a key" in manager.get(KEYS).content.decode()


def test_the_list_is_exported_without_anything_secret(manager):
    old = make_key()
    manager.post(reverse("evaluation:key-rotate", args=[old.key.pk]), {"overlap": "0"})
    text = manager.get(f"{KEYS}?export=jsonl").getvalue().decode()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["name"], row["state"], row["replaces"]) for row in rows] == [
        ("Sales desk", "usable", old.key.prefix),
        ("Sales desk", "revoked", ""),
    ]
    assert ApiKey.objects.first().secret_hash not in text
    assert manager.get(f"{KEYS}?export=csv").getvalue().decode().startswith("prefix,name,state")


def test_a_long_list_takes_few_queries(manager, django_assert_max_num_queries):
    workflow = make_workflow()
    for number in range(60):
        make_key(f"Key {number}", workflows=[workflow])
    with django_assert_max_num_queries(10):
        answer = manager.get(KEYS)
    assert len(names(answer)) == 50


@pytest.mark.parametrize("role", ["viewer", "approver", "compliance", "reviewer"])
def test_others_are_told_who_manages_keys(client, role):
    key = make_key().key
    client.force_login(make_user(role))
    for name in ("key-rotate", "key-revoke"):
        assert client.post(reverse(f"evaluation:{name}", args=[key.pk])).status_code == 403
    for address in (KEYS, NEW):
        assert client.get(address).status_code == 403
    assert client.post(NEW, {"name": "x"}).status_code == 403
