from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import override_settings
from django.urls import reverse

from fusion_site.celery import app


@pytest.fixture
def user(db):
    return User.objects.create_user("mira", password="a long enough word")


@pytest.mark.django_db
def test_the_login_page_is_open_and_posts_to_itself(client):
    response = client.get(reverse("login"))

    assert response.status_code == 200
    assert "csrfmiddlewaretoken" in response.content.decode()


def test_a_right_password_lets_in(client, user):
    response = client.post(reverse("login"), {"username": "mira", "password": "a long enough word"})

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(user.pk)


@override_settings(AXES_ENABLED=True, AXES_FAILURE_LIMIT=3)
def test_guessing_passwords_is_stopped(client, user):
    for _ in range(3):
        client.post(reverse("login"), {"username": "mira", "password": "wrong"})

    response = client.post(reverse("login"), {"username": "mira", "password": "a long enough word"})

    assert response.status_code == 429
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_health_is_open_and_says_that_the_database_answers(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_health_fails_without_the_database(client, monkeypatch):
    def refuse():
        raise DatabaseError("no connection to 10.0.0.1")

    monkeypatch.setattr("fusion_site.views.connection.cursor", refuse)

    response = client.get("/healthz")

    assert response.status_code == 503
    assert "10.0.0.1" not in response.content.decode()


@pytest.mark.django_db
def test_the_policy_allows_this_site_alone(client):
    policy = client.get(reverse("login"))["Content-Security-Policy"]

    directives = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert directives["default-src"] == ["'none'"]
    assert [source for source in directives["script-src"] if not source.startswith("'nonce-")] == ["'self'"]
    assert directives["style-src"] == ["'self'"]
    assert directives["base-uri"] == directives["frame-ancestors"] == ["'none'"]
    assert directives["form-action"] == ["'self'"]
    assert directives["report-uri"] == ["/csp-report/"]


@pytest.mark.django_db
def test_the_nonce_on_the_page_is_the_one_in_the_policy_and_new_each_time(client):
    first, second = client.get(reverse("login")), client.get(reverse("login"))

    assert f"'nonce-{first.context['csp_nonce']}'" in first["Content-Security-Policy"]
    assert f'nonce="{first.context["csp_nonce"]}"' in first.content.decode()
    assert str(first.context["csp_nonce"]) != str(second.context["csp_nonce"])


def report(client, body: bytes):
    return client.post(reverse("csp-report"), data=body, content_type="application/csp-report")


@pytest.mark.django_db
def test_a_report_of_the_policy_is_logged(client, caplog):
    response = report(client, json.dumps({"csp-report": {"blocked-uri": "inline"}}).encode())

    assert response.status_code == 204
    assert "blocked-uri" in caplog.text


@pytest.mark.django_db
def test_a_report_that_is_too_long_is_refused(client, caplog):
    assert report(client, b"x" * 8_193).status_code == 413
    assert "xxx" not in caplog.text


@pytest.mark.django_db
def test_a_report_needs_no_token_but_everything_else_does(client):
    client.handler.enforce_csrf_checks = True

    assert report(client, b"\xff\xfe").status_code == 204
    assert client.post(reverse("login"), {"username": "mira"}).status_code == 403


@pytest.mark.django_db
def test_a_page_asks_for_a_login_and_htmx_is_sent_there_too(client):
    plain = client.get(reverse("admin:password_change"))
    swapped = client.post(reverse("admin:password_change"), headers={"HX-Request": "true"})

    assert plain.status_code == 302
    assert swapped.status_code == 204
    assert "login" in swapped["HX-Redirect"]


@pytest.mark.django_db
def test_an_unknown_address_shows_the_page_for_it(client):
    response = client.get("/nothing-here/")

    assert response.status_code == 404
    assert "Quorum" in response.content.decode()


def test_a_worker_knows_every_task_of_the_schedule():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)
