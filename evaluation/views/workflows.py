from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.models import Workflow
from evaluation.permissions import may_run_experiments
from evaluation.selectors.overview import workflow_page
from fusion_site.lib.htmx import render_page


@require_safe
def show_workflow(request: HttpRequest, slug: str) -> HttpResponse:
    page = workflow_page(get_object_or_404(Workflow, slug=slug))
    context = {
        "page": page,
        "workflow": page.standing.workflow,
        "now": timezone.now(),
        "may_run": may_run_experiments(request.user),
        "shows_simulated": page.standing.simulated,
    }
    return render_page(request, "evaluation/workflow.html", context)
