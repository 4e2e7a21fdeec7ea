"""One of everything that an address names, and a person of every role, for the permission table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Answer, ApiKey, DatasetVersion, LiveRequest, ReviewAssignment, ReviewSession, Run
from evaluation.services.api_keys import create_api_key
from panels.models import ChangeRequest, PanelVersion
from tests.change_factories import make_draft
from tests.factories import (
    NOW,
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_user,
    make_workflow,
)
from tests.review_factories import make_leased_slot, make_queue, make_review_item, make_review_session, make_vote

GROUPS = ("viewer", "product manager", "reviewer", "adjudicator", "approver", "compliance", "administrator")
ANYBODY, SUPERUSER = "not logged in", "superuser"
ROLES = (ANYBODY, *GROUPS, SUPERUSER)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All people are staff, so that it is never for that that the admin turns somebody away."""

    people: dict[str, User]
    sessions: dict[str, str]
    version: PanelVersion
    change: ChangeRequest
    dataset: DatasetVersion
    run: Run
    answer: Answer
    key: ApiKey
    session: ReviewSession
    token: str
    import_id: int

    def client(self, role: str) -> Client:
        client = Client()
        if role != ANYBODY:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[role]
        return client


Arguments = Callable[[World], dict[str, Any]]


def make_world() -> World:
    people = {group: make_user(group, username=group.replace(" ", "-"), is_staff=True) for group in GROUPS}
    people[SUPERUSER] = make_user(username="root", is_staff=True, is_superuser=True)
    version, dataset = make_panel_version([[make_model()]]), make_dataset_version()
    run = make_run(make_experiment([version], version=dataset))
    session = make_review_session(created_by=people["product manager"])
    _assign(session, people)
    slot = make_leased_slot(make_review_item(session), person=people["reviewer"], lease_until=NOW.replace(year=9000))
    key = create_api_key(name="Desk", workflows=[make_workflow(slug="sales")], expires_at=None, by=None, now=NOW).key
    return World(
        people=people,
        sessions={role: _session_of(person) for role, person in people.items()},
        version=version,
        change=make_draft(version, by=people["product manager"]),
        dataset=dataset,
        run=run,
        answer=_answer(version),
        key=key,
        session=session,
        token=str(slot.lease_token),
        import_id=dataset.dataset.imports.create(
            folder="gone", options={"files": {}}, state="failed", created_at=NOW, ended_at=NOW
        ).pk,
    )


def _session_of(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def _assign(session: ReviewSession, people: dict[str, User]) -> None:
    for role in ("reviewer", "adjudicator"):
        ReviewAssignment.objects.create(
            session=session, person=people[role], role=role, created_at=NOW, calibrated_at=NOW
        )
    make_queue(session, items=2, slots=1)
    make_vote(make_review_item(session))


def _answer(version: PanelVersion) -> Answer:
    answer = Answer.objects.create(
        outcome="answered", value="A", text="A", consensus=1.0, stages_called=1, call_count=1, created_at=NOW
    )
    LiveRequest.objects.create(
        answer=answer,
        panel_version=version,
        answer_kind="choice",
        choices=["A", "B"],
        messages='[{"role": "user", "content": "Which?"}]',
        created_at=NOW,
    )
    return answer
