from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from evaluation.forms.imports import ImportChoicesForm, UploadForm
from evaluation.models import DatasetImport
from evaluation.permissions import WHO_EDITS_DATASETS, may_edit_datasets, require_dataset_editor
from evaluation.selectors.imports import find_import, standing_of
from evaluation.services.imports import (
    ImportRejected,
    NotADraft,
    discard_import,
    imported_dataset,
    previews_of,
    queue_import,
    receive_upload,
)
from fusion_site.lib.htmx import render_page

_GOING = {DatasetImport.State.QUEUED, DatasetImport.State.RUNNING}


def _load(pk: int) -> DatasetImport:
    job = find_import(pk)
    if job is None:
        raise Http404
    return job


@require_http_methods(["GET", "HEAD", "POST"])
def upload_dataset(request: HttpRequest) -> HttpResponse:
    form = UploadForm(initial={name: request.GET.get(name, "") for name in ("name", "workflow")})
    if request.method == "POST":
        require_dataset_editor(request.user)
        form = UploadForm(request.POST, request.FILES)
        job = _receive(request, form) if form.is_valid() else None
        if job is not None:
            return redirect("evaluation:import", pk=job.pk)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    context = {"form": form, "may_edit": may_edit_datasets(request.user), "who_may": WHO_EDITS_DATASETS}
    return render_page(request, "evaluation/import_upload.html", context, fragments=["upload"], status=status)


def _receive(request: HttpRequest, form: UploadForm) -> DatasetImport | None:
    """None where a file cannot be read at all; the form then says why."""
    try:
        return receive_upload(
            name=form.cleaned_data["name"],
            workflow=form.cleaned_data["workflow"],
            uploads=form.uploads(),
            by=request.user if request.user.is_authenticated else None,
            now=timezone.now(),
        )
    except ImportRejected as error:
        form.add_problems(error.problems)
        return None


@require_http_methods(["GET", "HEAD", "POST"])
def show_import(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft's preview and its form; then the progress; then what came of it."""
    job = _load(pk)
    if request.method == "POST":
        require_dataset_editor(request.user)
        return _start(request, job)
    return _page(request, job)


def _start(request: HttpRequest, job: DatasetImport) -> HttpResponse:
    if job.state != DatasetImport.State.DRAFT:
        messages.info(request, "This import was started before.")
        return redirect("evaluation:import", pk=job.pk)
    form = ImportChoicesForm(previews_of(job), request.POST)
    if not form.is_valid():
        return _page(request, job, form)
    try:
        queue_import(job=job, choices=form.choices(), mappings=form.mappings(), now=timezone.now())
    except NotADraft:
        messages.info(request, "This import was started before.")
    return redirect("evaluation:import", pk=job.pk)


def _page(request: HttpRequest, job: DatasetImport, form: ImportChoicesForm | None = None) -> HttpResponse:
    now = timezone.now()
    context: dict[str, Any] = {
        "job": job,
        "dataset": job.dataset,
        "now": now,
        "may_edit": may_edit_datasets(request.user),
        "who_may": WHO_EDITS_DATASETS,
    }
    if job.state == DatasetImport.State.DRAFT:
        previews = previews_of(job)
        context |= {"previews": previews, "form": form or ImportChoicesForm(previews)}
    elif job.state in _GOING:
        context["standing"] = standing_of(job, now)
    elif job.state == DatasetImport.State.PUBLISHED:
        context["imported"] = imported_dataset(job)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None else HTTPStatus.OK
    return render_page(request, "evaluation/import.html", context, fragments=["job"], status=status)


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    require_dataset_editor(request.user)
    job = _load(pk)
    try:
        discard_import(job=job)
    except NotADraft:
        messages.error(request, "This import was started before and can no longer be discarded.")
        return redirect("evaluation:import", pk=pk)
    messages.success(request, "The upload was discarded.")
    return redirect("evaluation:datasets")
