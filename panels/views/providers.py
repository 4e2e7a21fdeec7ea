from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.forms.contracts import ContractForm, contract_initial
from panels.forms.filters import ProviderFilterForm, read_provider_filter
from panels.forms.problems import show_problems
from panels.forms.providers import ProviderForm, provider_initial
from panels.gate import contract_day
from panels.models import Provider
from panels.permissions import (
    WHO_EDITS_MODELS,
    WHO_KEEPS_CONTRACTS,
    may_edit_models,
    may_keep_contracts,
    require_contract_keeper,
    require_model_editor,
)
from panels.policies import WrongState, is_contractable, require_provider_editable
from panels.selectors.contracts import CONTRACT_COLUMNS, exported_contracts
from panels.selectors.provider_health import provider_health
from panels.selectors.providers import PROVIDER_COLUMNS, exported_providers, list_providers, provider_page
from panels.services.contracts import InvalidContract, record_contract
from panels.services.providers import InvalidProvider, change_provider, create_provider


@require_safe
def list_all(request: HttpRequest) -> HttpResponseBase:
    query = request.GET
    wanted, export = read_provider_filter(query), query.get("export", "")
    if export in CONTENT_TYPES:
        rows = exported_providers(wanted, today=contract_day(timezone.now()), sort=query.get("sort", ""))
        return export_response(request, rows, kind=export, name="providers", columns=PROVIDER_COLUMNS)
    now = timezone.now()
    found = list_providers(
        wanted,
        today=contract_day(now),
        sort=query.get("sort", ""),
        after=query.get("after", ""),
        before=query.get("before", ""),
    )
    context = {
        "providers": found,
        "health": provider_health(now=now),
        "wanted": wanted,
        "filter_form": ProviderFilterForm(query),
        "may_edit": may_edit_models(request.user),
        "now": now,
        "who_edits": WHO_EDITS_MODELS,
        "shows_simulated": found.shows_simulated,
    }
    return render_page(request, "panels/providers.html", context, fragments=["rows", "health"])


@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponseBase:
    """With its contract records, which the page also exports."""
    provider = get_object_or_404(Provider, slug=slug)
    now, export = timezone.now(), request.GET.get("export", "")
    if export in CONTENT_TYPES:
        rows = exported_contracts(provider, today=contract_day(now))
        return export_response(request, rows, kind=export, name=f"{slug}-contracts", columns=CONTRACT_COLUMNS)
    context = {
        "page": provider_page(provider, today=contract_day(now)),
        "provider": provider,
        "now": now,
        "may_edit": may_edit_models(request.user) and is_contractable(provider),
        "may_record": may_keep_contracts(request.user) and is_contractable(provider),
        "who_records": WHO_KEEPS_CONTRACTS,
        "shows_simulated": provider.is_simulated,
    }
    return render_page(request, "panels/provider.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest, slug: str) -> HttpResponse:
    """A further contract record."""
    person = require_contract_keeper(request.user)
    provider, now = get_object_or_404(Provider, slug=slug), timezone.now()
    form = ContractForm(request.POST if request.method == "POST" else None, initial=contract_initial(contract_day(now)))
    if form.is_valid():
        try:
            record_contract(provider=provider, terms=form.terms(), by=person, now=now)
        except InvalidContract as error:
            show_problems(form, error.problems)
        except WrongState as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The contract is recorded. The gate goes by it from its first day on.")
            return redirect("panels:provider", slug=slug)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    context = {"form": form, "provider": provider, "shows_simulated": provider.is_simulated}
    return render_page(request, "panels/contract_form.html", context, fragments=["form"], status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    person = require_model_editor(request.user)
    form = ProviderForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            provider = create_provider(**form.cleaned_data, by=person, now=timezone.now())
        except InvalidProvider as error:
            show_problems(form, error.problems)
        else:
            messages.success(request, f"{provider.name} was added. Now add the models it hosts, and its contract.")
            return redirect("panels:provider", slug=provider.slug)
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    person = require_model_editor(request.user)
    provider = get_object_or_404(Provider, slug=slug)
    try:
        require_provider_editable(provider)
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("panels:providers")
    form = ProviderForm(request.POST if request.method == "POST" else None, initial=provider_initial(provider))
    if form.is_valid():
        try:
            change_provider(provider=provider, **form.cleaned_data, by=person, now=timezone.now())
        except InvalidProvider as error:
            show_problems(form, error.problems)
        else:
            messages.success(request, f"{provider.name} was changed.")
            return redirect("panels:provider", slug=slug)
    return _form_page(request, form, provider)


def _form_page(request: HttpRequest, form: ProviderForm, provider: Provider | None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    form.forget_key()
    context = {"form": form, "provider": provider}
    return render_page(request, "panels/provider_form.html", context, fragments=["form"], status=status)
