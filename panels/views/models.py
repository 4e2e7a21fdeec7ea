from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page
from panels.forms.filters import ModelFilterForm, read_model_filter
from panels.forms.model_use import ModelUseForm, model_use_initial
from panels.forms.models import ModelForm, model_initial
from panels.forms.problems import show_problems
from panels.gate import contract_day
from panels.models import LanguageModel
from panels.permissions import (
    WHO_EDITS_MODELS,
    may_edit_models,
    may_edit_panels,
    may_govern_models,
    require_model_editor,
    require_model_governor,
)
from panels.policies import WrongState, is_editable, require_editable
from panels.selectors.models import (
    MODEL_COLUMNS,
    ModelPage,
    deprecation_of,
    exported_models,
    list_models,
    read_model,
)
from panels.services.model_use import set_model_use
from panels.services.models import InvalidModel, bring_back_model, change_model, create_model, retire_model


def _load(pk: int) -> ModelPage:
    page = read_model(pk)
    if page is None:
        raise Http404
    return page


def _load_for_editing(request: HttpRequest, pk: int) -> tuple[ModelPage, User]:
    person = require_model_editor(request.user)
    return _load(pk), person


@require_safe
def list_all(request: HttpRequest) -> HttpResponseBase:
    query = request.GET
    wanted, export = read_model_filter(query), query.get("export", "")
    if export in CONTENT_TYPES:
        rows = exported_models(wanted, sort=query.get("sort", ""))
        return export_response(request, rows, kind=export, name="models", columns=MODEL_COLUMNS)
    found = list_models(
        wanted, sort=query.get("sort", ""), after=query.get("after", ""), before=query.get("before", "")
    )
    context = {
        "models": found,
        "wanted": wanted,
        "filter_form": ModelFilterForm(query),
        "may_edit": may_edit_models(request.user),
        "now": timezone.now(),
        "who_edits": WHO_EDITS_MODELS,
        "shows_simulated": found.shows_simulated,
    }
    return render_page(request, "panels/models.html", context, fragments=["rows"])


@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    page = _load(pk)
    context = {
        "page": page,
        "model": page.model,
        "now": timezone.now(),
        "editable": is_editable(page.model),
        "deprecation": deprecation_of(page.model, today=contract_day(timezone.now())),
        "may_govern": may_govern_models(request.user) and is_editable(page.model),
        "may_edit": may_edit_models(request.user),
        "may_edit_panels": may_edit_panels(request.user),
        "who_edits": WHO_EDITS_MODELS,
        "shows_simulated": page.model.provider.is_simulated,
    }
    return render_page(request, "panels/model.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    person = require_model_editor(request.user)
    form = ModelForm(
        request.POST if request.method == "POST" else None, initial={"provider": request.GET.get("provider")}
    )
    if form.is_valid():
        try:
            model = create_model(facts=form.facts(), by=person, now=timezone.now())
        except InvalidModel as error:
            show_problems(form, error.problems)
        else:
            return _done(request, model, f"{model.name} is in the inventory.")
    return _form_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    page, person = _load_for_editing(request, pk)
    model = page.model
    try:
        require_editable(model)
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("panels:model", pk=pk)
    form = ModelForm(
        request.POST if request.method == "POST" else None, initial=model_initial(model), seated=page.is_seated
    )
    if form.is_valid():
        try:
            change_model(model=model, facts=form.facts(), by=person, now=timezone.now())
        except InvalidModel as error:
            show_problems(form, error.problems)
        else:
            return _done(request, model, f"{model.name} was changed. What past calls cost stays as it was.")
    return _form_page(request, form, page)


@require_http_methods(["GET", "HEAD", "POST"])
def set_use(request: HttpRequest, pk: int) -> HttpResponse:
    """What the model may be used for."""
    person = require_model_governor(request.user)
    model = _load(pk).model
    form = ModelUseForm(
        request.POST if request.method == "POST" else None, initial=model_use_initial(model), model=model
    )
    if form.is_valid():
        try:
            set_model_use(model=model, use=form.use(), by=person, now=timezone.now())
        except InvalidModel as error:
            show_problems(form, error.problems)
        except WrongState as error:
            form.add_error(None, str(error))
        else:
            return _done(request, model, f"What {model.name} may be used for was changed.")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    context = {"form": form, "model": model, "shows_simulated": model.provider.is_simulated}
    return render_page(request, "panels/model_use_form.html", context, fragments=["form"], status=status)


@require_POST
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    page, person = _load_for_editing(request, pk)
    try:
        retire_model(model=page.model, by=person, now=timezone.now())
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("panels:model", pk=pk)
    return _done(request, page.model, f"{page.model.name} is retired. New panel versions can no longer seat it.")


@require_POST
def bring_back(request: HttpRequest, pk: int) -> HttpResponse:
    page, person = _load_for_editing(request, pk)
    try:
        bring_back_model(model=page.model, by=person, now=timezone.now())
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("panels:model", pk=pk)
    return _done(
        request, page.model, f"{page.model.name} is back, as proposed. Say what it may be used for before it is asked."
    )


def _done(request: HttpRequest, model: LanguageModel, words: str) -> HttpResponseRedirect:
    messages.success(request, words)
    return redirect("panels:model", pk=model.pk)


def _form_page(request: HttpRequest, form: ModelForm, page: ModelPage | None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    context = {"form": form, "page": page}
    return render_page(request, "panels/model_form.html", context, fragments=["form"], status=status)
