"""What the owner of a review session does with it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evaluation.forms.reviews import AssignForm, ReviewSessionForm
from evaluation.models import ReviewAssignment, ReviewSession
from evaluation.permissions import require_review_maker, require_review_owner
from evaluation.policies import WrongState, is_review_closable, is_review_pausable, is_review_startable
from evaluation.selectors.review_assisted import assisted_hallucination
from evaluation.selectors.review_desk import session_desk
from evaluation.selectors.review_export import COLUMNS, export_rows
from evaluation.selectors.review_judged import judged_items
from evaluation.selectors.review_members import bad_claim_members
from evaluation.selectors.review_outcome import ReviewOutcome, review_outcome
from evaluation.selectors.review_quality import session_quality
from evaluation.services.review_sessions import (
    InvalidReviewSession,
    assign_person,
    close_review_session,
    create_review_session,
    pause_review_session,
    start_review_session,
)
from evaluation.stats.agreement import Agreement
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.selectors.audit import audit_head

_FORM_PAGE = "evaluation/review_form.html"


def _load(request: HttpRequest, pk: int) -> ReviewSession:
    found = ReviewSession.objects.select_related(
        "workflow", "run__experiment", "first_arm", "second_arm", "rubric", "created_by"
    )
    session = get_object_or_404(found, pk=pk)
    require_review_owner(request.user, session)
    return session


@require_http_methods(["GET", "HEAD", "POST"])
def create_session(request: HttpRequest) -> HttpResponse:
    """GET also answers with the arms of the chosen run, and with what the session could show."""
    require_review_maker(request.user)
    if request.method != "POST":
        return _show_draft(request)
    form = ReviewSessionForm(request.POST)
    session = _create(request, form) if form.is_valid() else None
    if session is None:
        context = {"form": form, "planned": form.planned(timezone.now())}
        return render_page(request, _FORM_PAGE, context, fragments=["session"], status=HTTPStatus.UNPROCESSABLE_ENTITY)
    messages.success(request, "The session is made. Reviewers see it once you open it.")
    return redirect("evaluation:review-session", pk=session.pk)


def _show_draft(request: HttpRequest) -> HttpResponse:
    """A form that has been begun keeps its values, and is not blamed for what is still missing."""
    asked: dict[str, Any] = request.GET.dict()
    for name in ("reviewers", "adjudicators"):
        asked[name] = request.GET.getlist(name)
    planned = ReviewSessionForm(request.GET).planned(timezone.now()) if "begun" in asked else None
    if "begun" in asked:
        flags = ("shows_evidence", "shows_reference", "reveals", "open_queue")
        asked |= {name: name in asked for name in flags}
    context = {"form": ReviewSessionForm(initial=asked), "planned": planned}
    return render_page(request, _FORM_PAGE, context, fragments=["arms", "planner"])


def _create(request: HttpRequest, form: ReviewSessionForm) -> ReviewSession | None:
    """None where the domain refused; the form then says why."""
    try:
        person = request.user
        by = person if isinstance(person, User) else None
        return create_review_session(plan=form.plan(), by=by, now=timezone.now())
    except InvalidReviewSession as refusal:
        form.add_problems(refusal.problems)
    return None


@require_safe
def show_session(request: HttpRequest, pk: int) -> HttpResponse:
    return _session_page(request, _load(request, pk), AssignForm())


def _session_page(request: HttpRequest, session: ReviewSession, assign: AssignForm) -> HttpResponse:
    now = timezone.now()
    context = {
        "session": session,
        "desk": session_desk(session, now),
        "quality": session_quality(session),
        "exports": COLUMNS,
        "assign": assign,
        "now": now,
        "is_startable": is_review_startable(session),
        "is_pausable": is_review_pausable(session),
        "is_closable": is_review_closable(session),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if assign.errors else HTTPStatus.OK
    return render(request, "evaluation/review_session.html", context, status=status)


@require_safe
def show_results(request: HttpRequest, pk: int) -> HttpResponse:
    session = _load(request, pk)
    everything = judged_items(session)
    outcome = review_outcome(session, everything)
    names = [arm.name for arm in outcome.arms]
    context = {
        "session": session,
        "outcome": outcome,
        "assisted": list(zip(names, assisted_hallucination(session, everything), strict=True)),
        "exports": COLUMNS,
        "audit_head": audit_head(),
        "now": timezone.now(),
        "agreements": _agreement_rows(outcome),
        "sources": bad_claim_members(session, everything),
    }
    return render(request, "evaluation/review_results.html", context)


@require_safe
def export_session(request: HttpRequest, pk: int, what: str, kind: str) -> HttpResponseBase:
    session = _load(request, pk)
    if what not in COLUMNS or kind not in CONTENT_TYPES:
        raise Http404
    rows = export_rows(session, what)
    return export_response(request, rows, kind=kind, name=f"review-{session.pk}-{what}", columns=COLUMNS[what])


def _agreement_rows(outcome: ReviewOutcome) -> list[dict[str, Any]]:
    facts = zip(outcome.arms, outcome.facts_agreement, strict=True) if outcome.has_facts else ()
    return [
        *(_agreement_row(f"Facts, {arm.name}", found) for arm, found in facts),
        _agreement_row("Preference", outcome.preference_agreement),
    ]


def _agreement_row(question: str, found: Agreement | None) -> dict[str, Any]:
    return {"question": question, "found": found, "of_ten": None if found is None else round(found.share * 10)}


@require_POST
def add_person(request: HttpRequest, pk: int) -> HttpResponse:
    session = _load(request, pk)
    form = AssignForm(request.POST)
    if not form.is_valid():
        return _session_page(request, session, form)
    person, role = form.cleaned_data["person"], form.cleaned_data["role"]
    assign_person(session=session, person=person, role=role, now=timezone.now())
    messages.success(request, f"{person} is now {ReviewAssignment.Role(role).label.lower()} of this session.")
    return redirect("evaluation:review-session", pk=pk)


@require_POST
def open_session(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(
        request, pk, lambda one: start_review_session(session=one, now=timezone.now()), "Reviewers can rate now."
    )


@require_POST
def pause_session(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, lambda one: pause_review_session(session=one), "No further items are handed out.")


@require_POST
def close_session(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(
        request, pk, lambda one: close_review_session(session=one, now=timezone.now()), "The session is closed."
    )


def _change(request: HttpRequest, pk: int, change: Callable[[ReviewSession], object], done: str) -> HttpResponse:
    session = _load(request, pk)
    try:
        change(session)
        messages.success(request, done)
    except WrongState as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:review-session", pk=pk)
