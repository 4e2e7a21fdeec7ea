from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.charts.monitoring import STEP_CHARTS, monitoring_charts
from evaluation.charts.monitoring.frame import Frame
from evaluation.selectors.monitoring import MonitoringPage, model_columns, model_records, monitoring_page
from evaluation.selectors.monitoring_filters import monitoring_filter
from evaluation.selectors.traffic import Span
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page


def _get_page(request: HttpRequest) -> MonitoringPage:
    return monitoring_page(monitoring_filter(request.GET), now=timezone.now())


@require_safe
def show_monitoring(request: HttpRequest) -> HttpResponse:
    page = _get_page(request)
    context = {
        "page": page,
        "wanted": page.wanted,
        "spans": list(Span),
        "charts": list(monitoring_charts(Frame(page=page, zone=timezone.get_current_timezone()))),
        "now": timezone.now(),
        "shows_simulated": page.wanted.offers_simulated,
    }
    return render_page(request, "evaluation/monitoring.html", context, fragments=["traffic"])


@require_safe
def export_monitoring(request: HttpRequest, what: str, kind: str) -> HttpResponseBase:
    """The table behind a chart, or the models table; filtered as the page is."""
    if kind not in CONTENT_TYPES or (what != "models" and what not in STEP_CHARTS):
        raise Http404
    page = _get_page(request)
    if what == "models":
        rows, columns = model_records(page), model_columns(page)
        return export_response(request, rows, kind=kind, name="monitoring-models", columns=columns)
    plan = STEP_CHARTS[what]
    return export_response(request, plan.records(page), kind=kind, name=f"monitoring-{what}", columns=plan.keys)
