from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from fusion_site.lib.htmx import render_page
from panels.models import Panel, PanelVersion
from panels.permissions import WHO_EDITS_PANELS, may_apply, may_edit_panels, may_request_changes
from panels.selectors.applications import applied_version, approved_baseline
from panels.selectors.costs import Tokens
from panels.selectors.panels import list_versions, with_members
from panels.selectors.versions import VersionPage, read_version, spec_json

_MOST_TOKENS = 10_000_000


def _load(request: HttpRequest, panel: Panel, number: int | None) -> VersionPage:
    page = read_version(panel, number, tokens=_tokens(request))
    if page is None:
        raise Http404
    return page


def _tokens(request: HttpRequest) -> Tokens:
    usual = Tokens()
    return Tokens(
        sent=_number(request.GET.get("sent", ""), usual.sent),
        received=_number(request.GET.get("received", ""), usual.received),
    )


def _number(text: str, usual: int) -> int:
    digits = text.replace(",", "").strip()
    return (
        int(digits)
        if digits.isascii() and digits.isdigit() and len(digits) <= 8 and int(digits) <= _MOST_TOKENS
        else usual
    )


@require_safe
def show_latest(request: HttpRequest, slug: str) -> HttpResponse:
    panel = get_object_or_404(Panel.objects.select_related("created_by"), slug=slug)
    versions = list_versions(panel, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    page = _load(request, panel, None)
    return _version_page(request, "panels/panel.html", page, versions=versions, **_live(request, panel))


def _live(request: HttpRequest, panel: Panel) -> dict[str, object]:
    return {"baseline": approved_baseline(panel), "may_apply": may_apply(request.user)}


@require_safe
def show(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    panel = get_object_or_404(Panel.objects.select_related("created_by"), slug=slug)
    return _version_page(request, "panels/version.html", _load(request, panel, number))


@require_safe
def export_spec(request: HttpRequest, slug: str, number: int) -> JsonResponse:
    versions = with_members(PanelVersion.objects.filter(panel__slug=slug))
    version = get_object_or_404(versions, number=number)
    response = JsonResponse(spec_json(version), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{slug}-v{number}.json"'
    return response


def _version_page(request: HttpRequest, template: str, page: VersionPage, **more: object) -> HttpResponse:
    context = {
        "page": page,
        "version": page.version,
        "panel": page.version.panel,
        "now": timezone.now(),
        "may_edit": may_edit_panels(request.user),
        "who_edits": WHO_EDITS_PANELS,
        "applied": applied_version(page.version.panel),
        "may_request": may_request_changes(request.user),
        "shows_simulated": page.shows_simulated,
        **more,
    }
    return render_page(request, template, context, fragments=["cost"])
