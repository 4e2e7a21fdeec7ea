"""Answers for machines: is it up, and what did a browser refuse."""

from __future__ import annotations

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

log = structlog.get_logger(__name__)

MAX_REPORT_BYTES = 8_192


@login_not_required
@never_cache
@require_safe
def check_health(request: HttpRequest) -> JsonResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        log.exception("the database does not answer")
        return JsonResponse({"status": "fail", "database": "does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


@login_not_required
@csrf_exempt
@require_POST
def receive_csp_report(request: HttpRequest) -> HttpResponse:
    """A browser sends it without a token or a login. It is logged as one line, whatever it holds."""
    report = request.read(MAX_REPORT_BYTES + 1)
    if len(report) > MAX_REPORT_BYTES:
        return HttpResponse(status=413)
    log.warning("content policy violated", report=report.decode("utf-8", errors="replace"))
    return HttpResponse(status=204)
