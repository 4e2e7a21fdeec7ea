from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from evaluation.models import DatasetVersion
from evaluation.permissions import WHO_EDITS_DATASETS, may_edit_datasets, may_run_experiments
from evaluation.selectors.datasets import (
    DATASET_COLUMNS,
    EXAMPLE_COLUMNS,
    OUTPUT_COLUMNS,
    DatasetFilter,
    ExampleFilter,
    dataset_workflows,
    datasets_page,
    export_datasets,
    export_examples,
    export_outputs,
    find_version,
    has_datasets,
    version_page,
)
from evaluation.selectors.imports import open_imports
from fusion_site.lib.export import CONTENT_TYPES, export_response
from fusion_site.lib.htmx import render_page


def _load(slug: str, number: int | None) -> DatasetVersion:
    version = find_version(slug, number)
    if version is None:
        raise Http404
    return version


@require_safe
def list_datasets(request: HttpRequest) -> HttpResponseBase:
    wanted = DatasetFilter.from_query(request.GET)
    kind = request.GET.get("export", "")
    if kind in CONTENT_TYPES:
        rows = export_datasets(wanted)
        return export_response(request, rows, kind=kind, name="datasets", columns=DATASET_COLUMNS)
    now = timezone.now()
    page = datasets_page(wanted, after=request.GET.get("after"), before=request.GET.get("before"))
    context = {
        "page": page,
        "wanted": wanted,
        "kinds": DatasetVersion.Kind.choices,
        "workflows": dataset_workflows(),
        "imports": open_imports(now),
        "is_new": not page.rows and not wanted.is_on and not has_datasets(),
        "now": now,
        "may_edit": may_edit_datasets(request.user),
        "who_may": WHO_EDITS_DATASETS,
    }
    return render_page(request, "evaluation/datasets.html", context, fragments=["rows"])


@require_safe
def show_dataset(request: HttpRequest, slug: str) -> HttpResponseBase:
    return _show(request, _load(slug, None))


@require_safe
def show_version(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    return _show(request, _load(slug, number))


def _show(request: HttpRequest, version: DatasetVersion) -> HttpResponseBase:
    wanted = ExampleFilter.from_query(request.GET)
    return _exported(request, version, wanted) or _page(request, version, wanted)


def _page(request: HttpRequest, version: DatasetVersion, wanted: ExampleFilter) -> HttpResponse:
    shown = version_page(version, wanted, after=request.GET.get("after"), before=request.GET.get("before"))
    context = {
        "shown": shown,
        "page": shown.examples,
        "note": shown.note,
        "version": version,
        "dataset": version.dataset,
        "wanted": wanted,
        "now": timezone.now(),
        "may_edit": may_edit_datasets(request.user),
        "may_run": may_run_experiments(request.user),
        "who_may": WHO_EDITS_DATASETS,
    }
    return render_page(request, "evaluation/dataset.html", context, fragments=["rows"])


def _exported(request: HttpRequest, version: DatasetVersion, wanted: ExampleFilter) -> HttpResponseBase | None:
    """The examples that the filter leaves, or all recorded outputs, in the form in which they can be imported."""
    name = f"{version.dataset.slug}-v{version.number}"
    kind, outputs = request.GET.get("export", ""), request.GET.get("outputs", "")
    if kind in CONTENT_TYPES:
        rows = export_examples(version, wanted, as_text=kind == "csv")
        return export_response(request, rows, kind=kind, name=name, columns=EXAMPLE_COLUMNS)
    if outputs in CONTENT_TYPES:
        rows = export_outputs(version)
        return export_response(request, rows, kind=outputs, name=f"{name}-outputs", columns=OUTPUT_COLUMNS)
    return None
