from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evaluation.charts import ResultCharts, result_charts
from evaluation.forms.runs import ResumeForm
from evaluation.models import Arm, Run
from evaluation.permissions import WHO_RUNS_EXPERIMENTS, may_run_experiments, require_experimenter
from evaluation.policies import WrongState, is_cancellable, is_pausable, is_resumable, is_retryable
from evaluation.selectors.findings import SAME_DATA_NOTE
from evaluation.selectors.item_export import EXPORT_COLUMNS, export_items
from evaluation.selectors.items import ItemFilter, items_page
from evaluation.selectors.results import ResultsPage, run_results
from evaluation.selectors.runs import ArmHead, arm_heads, arms_of, run_state, runs_with_experiment
from evaluation.services.runs import (
    CapTooLow,
    NothingToRetry,
    RetiredModel,
    UnknownPrice,
    cancel_run,
    pause_run,
    resume_run,
    retry_failed,
    start_run,
)
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page, wanted_fragment
from panels.gate import GateClosed
from panels.gateway import MissingKey
from panels.permissions import may_request_changes
from panels.selectors.audit import audit_head

_REFUSALS = (WrongState, CapTooLow, NothingToRetry, RetiredModel, UnknownPrice, MissingKey, GateClosed)

POLL_S = 2  # as the fragment's trigger says
Heads = Mapping[int, ArmHead]


def _get_run(pk: int) -> Run:
    return get_object_or_404(runs_with_experiment(), pk=pk)


@require_safe
def show_run(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The running page until there is a result to show; a cancelled run has none and shows what it has."""
    run = _get_run(pk)
    arms = arms_of(run)
    if wanted_fragment(request, ["items"]):
        return _show_items(request, run, arms, "evaluation/run_results.html")
    heads = arm_heads(arms)
    results = run_results(run, known_heads=heads) if run.state == Run.State.FINISHED else None
    is_final = results is not None or run.state == Run.State.CANCELLED
    if wanted_fragment(request, ["live"]) or not is_final:
        return _show_running(request, run, heads, is_final=is_final)
    return _show_results(request, run, arms, heads, results)


def _show_running(
    request: HttpRequest, run: Run, heads: Heads, *, is_final: bool, form: ResumeForm | None = None
) -> HttpResponse:
    polls = _polls(request)
    context = _run_context(request, run, heads) | {
        "state": run_state(run, heads=heads, now=timezone.now(), watched_s=polls * POLL_S),
        "next_poll": polls + 1,
        "is_final": is_final,
        "seen": _seen(run, is_final=is_final),
        "form": form or ResumeForm(),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.errors else HTTPStatus.OK
    response = render_page(request, "evaluation/run_running.html", context, fragments=["live", "cap"], status=status)
    if wanted_fragment(request, ["live"]) and request.GET.get("seen") != context["seen"]:
        # What can be done with the run has changed, or there is a result now: the whole page is another one.
        response["HX-Refresh"] = "true"
    return response


def _polls(request: HttpRequest) -> int:
    """How often the page has asked since it was loaded."""
    text = request.GET.get("polls", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _seen(run: Run, *, is_final: bool) -> str:
    """What the page was made for; a poll that names something else makes the page load anew."""
    return f"{run.state}{'-final' if is_final else ''}"


def _show_results(
    request: HttpRequest, run: Run, arms: Sequence[Arm], heads: Heads, results: ResultsPage | None
) -> HttpResponse:
    context = _run_context(request, run, heads) | _items_context(request, run, arms) | {"results": results}
    if results is None:
        context["state"] = run_state(run, heads=heads, now=timezone.now())
    else:
        context |= {
            "charts": _charts(run, results),
            "uplift_note": SAME_DATA_NOTE,
            "failed_answers": sum(arm.failed for arm in results.data.arms),
            "audit_head": audit_head(),
            "has_panels": any(not arm.is_single for arm in results.data.arms),
        }
    return render_page(request, "evaluation/run_results.html", context)


def _charts(run: Run, results: ResultsPage) -> ResultCharts:
    workflow = run.experiment.workflow
    return result_charts(
        results.data,
        looks={pk: head.look for pk, head in results.heads.items()},
        items_url=reverse("evaluation:run-items", args=[run.pk]),
        target_p95_ms=workflow.target_p95_ms if workflow else None,
    )


def _run_context(request: HttpRequest, run: Run, heads: Heads) -> dict[str, Any]:
    return {
        "run": run,
        "experiment": run.experiment,
        "now": timezone.now(),
        "may_run": may_run_experiments(request.user),
        "may_request_changes": may_request_changes(request.user),
        "who_may": WHO_RUNS_EXPERIMENTS,
        "is_pausable": is_pausable(run),
        "is_resumable": is_resumable(run),
        "is_cancellable": is_cancellable(run),
        "is_retryable": is_retryable(run),
        "shows_simulated": any(head.simulated for head in heads.values()),
    }


@require_safe
def list_items(request: HttpRequest, pk: int) -> HttpResponse:
    run = _get_run(pk)
    return _show_items(request, run, arms_of(run), "evaluation/items.html")


def _show_items(request: HttpRequest, run: Run, arms: Sequence[Arm], template: str) -> HttpResponse:
    context = _items_context(request, run, arms) | {
        "run": run,
        "experiment": run.experiment,
        "now": timezone.now(),
        "shows_simulated": any(head.simulated for head in arm_heads(arms).values()),
    }
    return render_page(request, template, context, fragments=["items"])


def _items_context(request: HttpRequest, run: Run, arms: Sequence[Arm]) -> dict[str, Any]:
    """The table filters itself where it stands, so its address is the page's own."""
    wanted = ItemFilter.from_query(request.GET)
    after, before = request.GET.get("after"), request.GET.get("before")
    return {
        "items": items_page(run, arms=arms, wanted=wanted, after=after, before=before),
        "items_url": request.path,
    }


@require_safe
def export_run(request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
    if kind not in CONTENT_TYPES:
        raise Http404
    run = _get_run(pk)
    rows = export_items(run, arms=arms_of(run), wanted=ItemFilter.from_query(request.GET))
    return export_response(request, rows, kind=kind, name=f"run-{run.pk}-items", columns=EXPORT_COLUMNS)


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    def hold(run: Run, person: User) -> Run:
        return pause_run(run=run, by=person, now=timezone.now())

    return _change(request, pk, hold, "The run is paused.")


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    def end(run: Run, person: User) -> Run:
        return cancel_run(run=run, by=person, now=timezone.now())

    return _change(request, pk, end, "The run is cancelled. Its answers are kept.")


@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    def ask_again(run: Run, person: User) -> Run:
        return retry_failed(run=run, by=person, now=timezone.now())

    return _change(request, pk, ask_again, "The failed answers are asked for again.")


@require_POST
def repeat(request: HttpRequest, pk: int) -> HttpResponse:
    def again(run: Run, person: User) -> Run:
        return start_run(
            experiment=run.experiment,
            concurrency=run.concurrency,
            cap_nanousd=run.cap_nanousd,
            reuse_replies=run.reuse_replies,
            by=person,
            now=timezone.now(),
        )

    return _change(request, pk, again, "A new run of the same experiment has been started.")


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_experimenter(request.user)
    run = _get_run(pk)
    form = ResumeForm(request.POST)
    if form.is_valid():
        try:
            resume_run(run=run, by=person, now=timezone.now(), cap_nanousd=form.cap_nanousd)
        except CapTooLow as refusal:
            form.add_error("cap", str(refusal))
        except (WrongState, GateClosed) as refusal:
            messages.error(request, str(refusal))
    if form.errors:
        return _show_running(request, run, arm_heads(arms_of(run)), is_final=False, form=form)
    return redirect("evaluation:run", pk=run.pk)


def _change(request: HttpRequest, pk: int, change: Callable[[Run, User], Run], done: str) -> HttpResponse:
    """Does it and leads to the run it made or changed; a refusal is said on the page of the run as it is."""
    person = require_experimenter(request.user)
    run = _get_run(pk)
    try:
        run = change(run, person)
        messages.success(request, done)
    except _REFUSALS as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:run", pk=run.pk)
