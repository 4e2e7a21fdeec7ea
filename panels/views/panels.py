from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.forms.drafts import (
    Draft,
    baseline_draft,
    blank_draft,
    draft_after_button,
    draft_of_spec,
    fits_form,
)
from panels.forms.filters import PanelFilterForm, read_panel_filter
from panels.forms.panels import PanelEditor, editor_of_draft, editor_of_post
from panels.models import LanguageModel, Panel, PanelVersion
from panels.permissions import WHO_EDITS_PANELS, may_edit_panels, require_panel_editor
from panels.selectors.models import offered_models
from panels.selectors.panels import PANEL_COLUMNS, exported_panels, list_panels, with_members
from panels.services.panels import InvalidPanel, UnchangedPanel, add_version, create_panel
from panels.specs import spec_of


@require_safe
def list_all(request: HttpRequest) -> HttpResponseBase:
    query = request.GET
    wanted, export = read_panel_filter(query), query.get("export", "")
    if export in CONTENT_TYPES:
        rows = exported_panels(wanted, sort=query.get("sort", ""))
        return export_response(request, rows, kind=export, name="panels", columns=PANEL_COLUMNS)
    found = list_panels(
        wanted, sort=query.get("sort", ""), after=query.get("after", ""), before=query.get("before", "")
    )
    context = {
        "panels": found,
        "wanted": wanted,
        "filtered": any(query.get(name) for name in ("q", "strategy", "kind", "size", "model")),
        "model": LanguageModel.objects.filter(pk=wanted.model).first() if wanted.model is not None else None,
        "filter_form": PanelFilterForm(query),
        "may_edit": may_edit_panels(request.user),
        "now": timezone.now(),
        "who_edits": WHO_EDITS_PANELS,
        "shows_simulated": found.shows_simulated,
    }
    return render_page(request, "panels/panels.html", context, fragments=["rows"])


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    person = require_panel_editor(request.user)
    editor = _posted_editor(request, is_new=True) or editor_of_draft(_first_draft(request), is_new=True)
    if request.method == "POST" and editor.is_valid():
        try:
            data = editor.head.cleaned_data
            version = create_panel(
                name=data["name"],
                description=data["description"],
                spec=editor.spec(),
                by=person,
                now=timezone.now(),
            )
        except InvalidPanel as error:
            editor.show_problems(error.problems)
        else:
            return _done(request, version)
    return _editor_page(request, editor, None)


@require_http_methods(["GET", "HEAD", "POST"])
def create_version(request: HttpRequest, slug: str) -> HttpResponse:
    person = require_panel_editor(request.user)
    panel = get_object_or_404(Panel, slug=slug)
    latest = with_members(panel.versions.all()).order_by("-number").first()
    if latest is None:
        raise Http404
    if not fits_form(spec_of(latest)):
        messages.error(request, "This panel has more stages than the form shows. It is changed from a spec file.")
        return redirect("panels:panel", slug=slug)
    editor = _posted_editor(request, is_new=False) or editor_of_draft(_draft_of_version(latest), is_new=False)
    if request.method == "POST" and editor.is_valid():
        try:
            version = add_version(panel=panel, spec=editor.spec(), by=person, now=timezone.now())
        except InvalidPanel as error:
            editor.show_problems(error.problems)
        except UnchangedPanel as error:
            editor.head.add_error(None, f"{error} Nothing was saved: change something, or use that version.")
        else:
            return _done(request, version)
    return _editor_page(request, editor, latest)


def _posted_editor(request: HttpRequest, *, is_new: bool) -> PanelEditor | None:
    """What was sent; where a row's button sent it, the same with a row more or less and nothing judged yet."""
    if request.method != "POST":
        return None
    draft = draft_after_button(request.POST)
    return editor_of_post(request.POST, is_new=is_new) if draft is None else editor_of_draft(draft, is_new=is_new)


def _first_draft(request: HttpRequest) -> Draft:
    """A panel of one where a model is named, ``?model=3``."""
    wanted = request.GET.get("model", "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 18):
        return blank_draft()
    model = LanguageModel.objects.available().select_related("provider").filter(pk=int(wanted)).first()
    return blank_draft() if model is None else baseline_draft(model)


def _draft_of_version(version: PanelVersion) -> Draft:
    models = {seat.model_id: seat.model for seat in version.members.all()}
    if version.arbiter_model is not None:
        models[version.arbiter_model.pk] = version.arbiter_model
    return draft_of_spec(spec_of(version), models=models)


def _done(request: HttpRequest, version: PanelVersion) -> HttpResponse:
    messages.success(request, f"{version.panel.name}, version {version.number}, was saved.")
    return redirect("panels:version", slug=version.panel.slug, number=version.number)


def _editor_page(request: HttpRequest, editor: PanelEditor, latest: PanelVersion | None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if editor.is_judged else HTTPStatus.OK
    context = {"editor": editor, "form": editor.head, "latest": latest, "offered": offered_models()}
    return render_page(request, "panels/panel_form.html", context, fragments=["editor"], status=status)
