from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.forms.change_requests import ChangeFilterForm, DecisionForm, RollBackForm, ScheduleForm, read_change_filter
from panels.gate import GateClosed
from panels.models import ChangeRequest, PanelVersion
from panels.permissions import (
    WHO_APPLIES,
    WHO_DECIDES,
    WHO_REQUESTS_CHANGES,
    may_request_changes,
    require_applier,
    require_approver,
    require_change_author,
)
from panels.policies import WrongState
from panels.selectors.change_requests import CHANGE_COLUMNS, exported_changes, list_changes, read_change
from panels.selectors.change_waits import waits_for
from panels.services.change_applications import (
    apply_change_request,
    roll_back,
    schedule_change_request,
    unschedule_change_request,
)
from panels.services.change_decisions import decide_change_request
from panels.services.change_requests import InvalidChange, submit_change_request, withdraw_change_request

REFUSALS = (WrongState, GateClosed, InvalidChange)


def _load(pk: int) -> ChangeRequest:
    rows = ChangeRequest.objects.select_related("panel", "candidate", "base", "created_by")
    return get_object_or_404(rows, pk=pk)


@require_safe
def list_all(request: HttpRequest) -> HttpResponseBase:
    query = request.GET
    wanted, export, sort = read_change_filter(query), query.get("export", ""), query.get("sort", "")
    if export in CONTENT_TYPES:
        rows = exported_changes(wanted, sort=sort)
        return export_response(request, rows, kind=export, name="changes", columns=CHANGE_COLUMNS)
    now = timezone.now()
    context = {
        "changes": list_changes(wanted, sort=sort, after=query.get("after", ""), before=query.get("before", "")),
        "filtered": any(query.get(name) for name in ("q", "state", "tier", "panel")),
        "filter_form": ChangeFilterForm(query),
        "waits": waits_for(request.user, now=now),
        "may_write": may_request_changes(request.user),
        "who_writes": WHO_REQUESTS_CHANGES,
        "now": now,
    }
    return render_page(request, "panels/changes.html", context, fragments=["rows"])


@never_cache
@require_safe
def count_waiting(request: HttpRequest) -> JsonResponse:
    """Requests that wait for this person, for the number beside the navigation entry."""
    return JsonResponse({"waiting": len(waits_for(request.user, now=timezone.now()))})


@never_cache
@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _load(pk))


def _page(request: HttpRequest, change: ChangeRequest, form: DecisionForm | None = None) -> HttpResponse:
    now = timezone.now()
    page = read_change(change, person=request.user, now=now)
    context = {
        "page": page,
        "change": change,
        "panel": change.panel,
        "form": form or DecisionForm(initial={"signed_hash": change.signed_hash}),
        "schedule_form": ScheduleForm(),
        "who_decides": WHO_DECIDES,
        "who_applies": WHO_APPLIES,
        "now": now,
        "shows_simulated": any(arm.simulated for arm in page.evidence.arms),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render_page(request, "panels/change.html", context, fragments=["decision"], status=status)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_approver(request.user)
    change, form = _load(pk), DecisionForm(request.POST)
    if form.is_valid():
        try:
            decide_change_request(request=change, by=person, now=timezone.now(), **form.cleaned_data)
        except WrongState as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Your decision is kept. It shows to others once all have decided.")
            return redirect("panels:change", pk=pk)
    return _page(request, _load(pk), form)


@require_POST
def submit(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_change_author(request.user)
    done = "Its approvers have been told. It expires in 14 days."
    return _do(request, pk, done, lambda one: submit_change_request(request=one, by=person, now=timezone.now()))


@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_change_author(request.user)
    done = "The request is withdrawn."
    return _do(request, pk, done, lambda one: withdraw_change_request(request=one, by=person, now=timezone.now()))


@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_applier(request.user)
    done = "The version is applied: live questions go to it from now on."
    return _do(request, pk, done, lambda one: apply_change_request(request=one, by=person, now=timezone.now()))


@require_POST
def schedule(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_applier(request.user)
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Set a day and a time, such as 2026-12-01 08:00.")
        return redirect("panels:change", pk=pk)
    at = form.cleaned_data["at"]

    def act(one: ChangeRequest) -> ChangeRequest:
        return schedule_change_request(request=one, at=at, by=person, now=timezone.now())

    return _do(request, pk, "It is applied at that time, if everything still holds then.", act)


@require_POST
def unschedule(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_applier(request.user)
    done = "It is approved as before, without a time."
    return _do(request, pk, done, lambda one: unschedule_change_request(request=one, by=person, now=timezone.now()))


def _do(request: HttpRequest, pk: int, done: str, act: Callable[[ChangeRequest], ChangeRequest]) -> HttpResponse:
    try:
        act(_load(pk))
        messages.success(request, done)
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
    return redirect("panels:change", pk=pk)


@require_POST
def go_back(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    person = require_applier(request.user)
    version = get_object_or_404(PanelVersion.objects.select_related("panel"), panel__slug=slug, number=number)
    form = RollBackForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else f"Back to version {number}."
    try:
        change = _roll_back(version, reason, person)
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
        return redirect("panels:panel", slug=slug)
    applied = change.state == ChangeRequest.State.APPLIED
    messages.success(
        request, "Live questions go to the baseline again." if applied else "Its approvers have been told."
    )
    return redirect("panels:change", pk=change.pk)


def _roll_back(version: PanelVersion, reason: str, person: User) -> ChangeRequest:
    return roll_back(version=version, reason=reason, by=person, now=timezone.now())
