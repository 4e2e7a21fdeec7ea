from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from evaluation.forms.experiments import ExperimentForm
from evaluation.models import Run
from evaluation.permissions import WHO_RUNS_EXPERIMENTS, may_run_experiments, require_experimenter
from evaluation.selectors.estimates import RunEstimate, estimate_run
from evaluation.selectors.experiments import (
    EXPORT_COLUMNS,
    ExperimentFilter,
    experiments_page,
    export_experiments,
    has_experiments,
    workflow_choices,
)
from evaluation.selectors.sensitive_fields import planned_masking
from evaluation.services.comparisons import RunLimits, start_comparison
from evaluation.services.experiments import InvalidExperiment
from evaluation.services.runs import RetiredModel, UnknownPrice
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.gate import GateClosed
from panels.gateway import MissingKey

_FORM_PAGE = "evaluation/experiment_form.html"


@require_safe
def list_experiments(request: HttpRequest) -> HttpResponseBase:
    wanted = ExperimentFilter.from_query(request.GET)
    kind = request.GET.get("export", "")
    if kind in CONTENT_TYPES:
        rows = export_experiments(wanted)
        return export_response(request, rows, kind=kind, name="experiments", columns=EXPORT_COLUMNS)
    page = experiments_page(wanted, after=request.GET.get("after"), before=request.GET.get("before"))
    context = {
        "page": page,
        "wanted": wanted,
        "states": Run.State.choices,
        "workflows": workflow_choices(),
        "is_new": not page.rows and not wanted.is_on and not has_experiments(),
        "now": timezone.now(),
        "may_run": may_run_experiments(request.user),
        "who_may": WHO_RUNS_EXPERIMENTS,
    }
    return render_page(request, "evaluation/experiments.html", context, fragments=["rows"])


@require_http_methods(["GET", "HEAD", "POST"])
def create_experiment(request: HttpRequest) -> HttpResponse:
    """GET also answers with the panels and the estimate that fit what the form holds so far."""
    require_experimenter(request.user)
    if request.method != "POST":
        return _show_draft(request)
    form = ExperimentForm(request.POST)
    run = _start(request, form) if form.is_valid() else None
    if run is None:
        context = _form_context(form, asked=form)
        return render_page(
            request, _FORM_PAGE, context, fragments=["experiment"], status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    return redirect("evaluation:run", pk=run.pk)


def _show_draft(request: HttpRequest) -> HttpResponse:
    """A form that has been begun keeps its values, and is not blamed for what is still missing."""
    asked: dict[str, Any] = request.GET.dict()
    if "panels" in asked:
        asked["panels"] = request.GET.getlist("panels")
    if "begun" in asked:
        asked["reuse"] = "reuse" in asked
    so_far = ExperimentForm(request.GET) if "begun" in asked else None
    context = _form_context(ExperimentForm(initial=asked), asked=so_far)
    return render_page(request, _FORM_PAGE, context, fragments=["choices", "estimate"])


def _form_context(form: ExperimentForm, *, asked: ExperimentForm | None) -> dict[str, Any]:
    """``asked`` is the form as far as it has been filled in; None where nobody has begun."""
    context: dict[str, Any] = {"form": form, "shows_simulated": any(panel.simulated for panel in form.choices)}
    if asked is None:
        return context
    asked.is_valid()
    masking = planned_masking(asked.cleaned_data.get("workflow"), asked.cleaned_data.get("dataset_version"))
    return context | {"begun": True, "masking": masking, "estimate": _estimate(asked, masks=masking is not None)}


def _estimate(form: ExperimentForm, *, masks: bool) -> RunEstimate | None:
    """None until a dataset and a panel are chosen."""
    cleaned, panels = form.cleaned_data, form.chosen_panels()
    if not panels or "dataset_version" not in cleaned:
        return None
    return estimate_run(
        version=cleaned["dataset_version"],
        panels=panels,
        replies=cleaned.get("replies", ""),
        concurrency=cleaned.get("concurrency") or 1,
        reuse=cleaned.get("reuse", False),
        masks=masks,
    )


def _start(request: HttpRequest, form: ExperimentForm) -> Run | None:
    """None where the domain refused; the form then says why."""
    cleaned = form.cleaned_data
    try:
        return start_comparison(
            title=cleaned["title"],
            workflow=cleaned["workflow"],
            dataset_version=cleaned["dataset_version"],
            replies=cleaned["replies"],
            arms=form.arms(),
            limits=RunLimits(
                concurrency=cleaned["concurrency"], cap_nanousd=form.cap_nanousd, reuse_replies=cleaned["reuse"]
            ),
            by=request.user if request.user.is_authenticated else None,
            now=timezone.now(),
        )
    except InvalidExperiment as refusal:
        form.add_problems(refusal.problems)
    except UnknownPrice as refusal:
        form.add_error("cap", str(refusal))
    except (RetiredModel, MissingKey, GateClosed) as refusal:
        form.add_error("panels", str(refusal))
    return None
