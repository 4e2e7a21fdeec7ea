"""Opening and editing a change request: where evidence is gathered. What becomes of it is a matter of panels."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from evaluation.execution.data_gate import policy_of
from evaluation.forms.change_requests import ChangeRequestForm, envelope_initial, initial_of
from evaluation.services.change_evidence import NoResult, gather_evidence, runs_with
from fusion_site.lib.htmx import render_page
from panels.change_rules import envelope_of
from panels.evidence import evidence_json
from panels.forms.problems import show_problems
from panels.gate import Purpose
from panels.models import ChangeRequest, PanelVersion
from panels.permissions import require_change_author
from panels.policies import WrongState
from panels.selectors.applications import current_application
from panels.selectors.change_sides import policy_json
from panels.services.change_requests import Change, InvalidChange, edit_change_request, open_change_request


def _candidate(change: ChangeRequest, number: str) -> PanelVersion:
    """The version of the same panel that the page was asked for, else that of the request."""
    if not number:
        return change.candidate
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise Http404
    return get_object_or_404(change.panel.versions.select_related("panel"), number=int(number))


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    person = require_change_author(request.user)
    versions = PanelVersion.objects.select_related("panel")
    candidate = get_object_or_404(versions, panel__slug=slug, number=number)
    runs = runs_with(candidate)
    form = ChangeRequestForm(request.POST or None, runs=runs, initial=_first_words(request, candidate))
    if request.method == "POST" and form.is_valid():
        change = _save(form, candidate, person, None)
        if change is not None:
            messages.success(request, "The draft is saved. Look at it once more, then submit it.")
            return redirect("panels:change", pk=change.pk)
    return _page(request, form, candidate, None)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_change_author(request.user)
    change = get_object_or_404(ChangeRequest.objects.select_related("panel", "candidate__panel"), pk=pk)
    candidate = _candidate(change, request.GET.get("version", ""))
    form = ChangeRequestForm(request.POST or None, runs=runs_with(candidate), initial=initial_of(change))
    if request.method == "POST" and form.is_valid() and _save(form, candidate, person, change) is not None:
        messages.success(request, "The request is a draft again. Earlier approvals count no more: submit it anew.")
        return redirect("panels:change", pk=pk)
    return _page(request, form, candidate, change)


def _first_words(request: HttpRequest, candidate: PanelVersion) -> dict[str, object]:
    """The run that the page was opened from, and the ranges that hold so far."""
    applied = current_application(candidate.panel)
    ranges = {} if applied is None else envelope_initial(envelope_of(applied.request.envelope))
    run = request.GET.get("run", "")
    chosen = next((one for one in runs_with(candidate) if not run or str(one.pk) == run), None)
    if chosen is None:
        return ranges
    return {"run": chosen.pk, "workflow": chosen.experiment.workflow, **ranges}


def _save(
    form: ChangeRequestForm, candidate: PanelVersion, person: User, known: ChangeRequest | None
) -> ChangeRequest | None:
    """None where something is wrong, which the form then says."""
    now, data = timezone.now(), form.cleaned_data
    policy = policy_of(data["workflow"], purpose=Purpose.PRODUCT)
    try:
        evidence = gather_evidence(candidate=candidate, run=data["run"], policy=policy, now=now)
        change = Change(
            candidate=candidate,
            summary=data["summary"],
            policy=policy_json(policy),
            evidence=evidence_json(evidence),
            envelope=form.envelope(),
            makes_baseline=data["makes_baseline"],
        )
        if known is None:
            return open_change_request(change=change, by=person, now=now)
        return edit_change_request(request=known, change=change, revision=data["revision"] or 0, by=person, now=now)
    except InvalidChange as error:
        show_problems(form, error.problems)
    except NoResult as error:
        form.add_error("run", str(error))
    except WrongState as error:
        form.add_error(None, str(error))
    return None


def _page(
    request: HttpRequest, form: ChangeRequestForm, candidate: PanelVersion, change: ChangeRequest | None
) -> HttpResponse:
    applied = current_application(candidate.panel)
    context = {
        "form": form,
        "candidate": candidate,
        "change": change,
        "base": None if applied is None else applied.version,
        "versions": candidate.panel.versions.order_by("-number"),
        "address": request.get_full_path(),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "evaluation/change_form.html", context, fragments=["editor"], status=status)
