from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.selectors.answers import Trace, answers_with_lineage, trace_of
from evaluation.selectors.items import ItemFilter
from evaluation.selectors.lineage import lineage_of
from evaluation.selectors.live_requests import list_live_requests
from fusion_site.lib.htmx import render_page
from panels.models import Panel, Provider


@require_safe
def show_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """The query string is that of the item table it was opened from; it decides what comes before and after."""
    wanted = ItemFilter.from_query(request.GET)
    trace = trace_of(get_object_or_404(answers_with_lineage(), pk=pk), wanted=wanted)
    if trace.answer.run is None:
        return _show_live(request, trace)
    context = {
        "trace": trace,
        "answer": trace.answer,
        "version": trace.answer.place.run.experiment.dataset_version,
        "wanted": wanted,
        "here": wanted.query(),
        "now": timezone.now(),
        "shows_simulated": trace.simulated,
    }
    return render_page(request, "evaluation/answer.html", context)


@require_safe
def show_lineage(request: HttpRequest, pk: int) -> HttpResponse:
    """Where the answer came from, and whom the data went to."""
    lineage = lineage_of(get_object_or_404(answers_with_lineage(), pk=pk))
    simulated = any(call.provider_kind == Provider.Kind.SIMULATED for call in lineage.calls)
    context = {
        "lineage": lineage,
        "audit_head": lineage.audit_head,
        "now": timezone.now(),
        "shows_simulated": simulated,
    }
    return render_page(request, "evaluation/lineage.html", context)


@require_safe
def export_lineage(request: HttpRequest, pk: int) -> JsonResponse:
    """The same as JSON."""
    lineage = lineage_of(get_object_or_404(answers_with_lineage(), pk=pk))
    response = JsonResponse(asdict(lineage), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="answer-{pk}-lineage.json"'
    return response


def _show_live(request: HttpRequest, trace: Trace) -> HttpResponse:
    context = {
        "trace": trace,
        "answer": trace.answer,
        "asked": trace.answer.live_request,
        "panel": trace.answer.panel_version,
        "title": trace.question.messages[-1].content,
        "now": timezone.now(),
        "shows_simulated": trace.simulated,
    }
    return render_page(request, "evaluation/live_answer.html", context)


@require_safe
def list_of_panel(request: HttpRequest, slug: str) -> HttpResponse:
    """What was asked of a panel outside of runs."""
    panel = get_object_or_404(Panel, slug=slug)
    query = request.GET
    answers = list_live_requests(panel, after=query.get("after", ""), before=query.get("before", ""))
    context = {"panel": panel, "answers": answers, "now": timezone.now()}
    return render_page(request, "evaluation/panel_answers.html", context, fragments=["asked"])
