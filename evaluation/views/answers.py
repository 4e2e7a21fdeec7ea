from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.selectors.answers import answers_with_lineage, trace_of
from evaluation.selectors.items import ItemFilter
from fusion_site.lib.htmx import render_page


@require_safe
def show_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """The query string is that of the item table it was opened from; it decides what comes before and after."""
    wanted = ItemFilter.from_query(request.GET)
    trace = trace_of(get_object_or_404(answers_with_lineage(), pk=pk), wanted=wanted)
    context = {
        "trace": trace,
        "answer": trace.answer,
        "version": trace.answer.run.experiment.dataset_version,
        "wanted": wanted,
        "here": wanted.query(),
        "now": timezone.now(),
        "shows_simulated": trace.simulated,
    }
    return render_page(request, "evaluation/answer.html", context)
