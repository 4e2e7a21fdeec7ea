from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.forms.audit import AuditFilterForm, read_audit_filter
from panels.permissions import require_auditor
from panels.selectors.audit import (
    AUDIT_COLUMNS,
    BrokenLink,
    audit_head,
    export_audit,
    list_audit,
    verify_chain,
)


@require_safe
def list_all(request: HttpRequest) -> HttpResponseBase:
    """Recomputing the chain takes seconds for a long one, so it is done where the address asks for it."""
    require_auditor(request.user)
    query = request.GET
    wanted, export = read_audit_filter(query), query.get("export", "")
    if export in CONTENT_TYPES:
        return export_response(request, export_audit(wanted), kind=export, name="audit", columns=AUDIT_COLUMNS)
    checked = verify_chain() if "verify" in query else None
    context = {
        "entries": list_audit(wanted, after=query.get("after", ""), before=query.get("before", "")),
        "wanted": wanted,
        "filter_form": AuditFilterForm(query),
        "head": audit_head(),
        "checked": checked,
        "is_broken": isinstance(checked, BrokenLink),
        "now": timezone.now(),
    }
    return render_page(request, "panels/audit.html", context, fragments=["rows", "chain"])
