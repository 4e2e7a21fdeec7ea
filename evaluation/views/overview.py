from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.permissions import may_run_experiments
from evaluation.selectors.overview import overview
from fusion_site.lib.htmx import render_page
from panels.selectors.change_waits import waits_for


@require_safe
def show_overview(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    page = overview(now=now)
    context = {
        "overview": page,
        "now": now,
        "waits": waits_for(request.user, now=now),
        "may_run": may_run_experiments(request.user),
        "shows_simulated": page.simulated,
    }
    return render_page(request, "evaluation/overview.html", context, fragments=["jobs"])
