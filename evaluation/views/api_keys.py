from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evaluation.forms.api_keys import ApiKeyForm, RotateForm
from evaluation.models import ApiKey, Workflow
from evaluation.permissions import require_key_manager
from evaluation.policies import WrongState
from evaluation.selectors.api_keys import KEY_COLUMNS, STATES, KeyFilter, export_keys, keys_page
from evaluation.services.api_keys import (
    FreshApiKey,
    InvalidApiKey,
    create_api_key,
    revoke_api_key,
    rotate_api_key,
)
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page


@require_safe
def list_keys(request: HttpRequest) -> HttpResponseBase:
    require_key_manager(request.user)
    now, query = timezone.now(), request.GET
    wanted, export = KeyFilter.from_query(query), query.get("export", "")
    if export in CONTENT_TYPES:
        return export_response(request, export_keys(wanted, now), kind=export, name="api-keys", columns=KEY_COLUMNS)
    context = {
        "page": keys_page(wanted, now, after=query.get("after"), before=query.get("before")),
        "wanted": wanted,
        "states": STATES,
        "workflows": Workflow.objects.order_by("name"),
        "now": now,
    }
    return render_page(request, "evaluation/keys.html", context, fragments=["rows"])


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    person = require_key_manager(request.user)
    form = ApiKeyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            fresh = create_api_key(
                name=data["name"],
                workflows=data["workflows"],
                expires_at=form.expires_at,
                by=person,
                now=timezone.now(),
            )
        except InvalidApiKey as error:
            form.add_problems(error.problems)
        else:
            return _show_once(request, fresh)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render_page(request, "evaluation/key_form.html", {"form": form}, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_key_manager(request.user)
    key = get_object_or_404(ApiKey, pk=pk)
    form = RotateForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _show_once(request, rotate_api_key(key=key, overlap=form.hours, by=person, now=timezone.now()))
        except WrongState as refusal:
            messages.error(request, str(refusal))
            return redirect("evaluation:keys")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render_page(request, "evaluation/key_form.html", {"form": form, "key": key}, status=status)


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    person = require_key_manager(request.user)
    key = get_object_or_404(ApiKey, pk=pk)
    try:
        revoke_api_key(key=key, by=person, now=timezone.now())
        messages.success(request, f"The key {key.name} ({key.prefix}) lets nobody in any more.")
    except WrongState as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:keys")


@sensitive_variables("fresh")
def _show_once(request: HttpRequest, fresh: FreshApiKey) -> HttpResponse:
    """The answer itself and no redirect: the text of the key is kept nowhere, so no later page could show it."""
    context = {"key": fresh.key, "text": fresh.text, "workflows": fresh.key.workflows.order_by("name")}
    return render_page(request, "evaluation/key_made.html", context, status=HTTPStatus.CREATED)
