"""The list of datasets, a version with its examples and recorded models, and their exports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from evaluation.models import DatasetVersion, Example, RecordedOutput, Workflow
from evaluation.stats.interval import Interval
from evaluation.stats.proportions import wilson
from fusion_site.lib.paging import Order, Page, page_of
from panels.models import LanguageModel

DATASET_COLUMNS = (
    "dataset", "name", "workflow", "version", "answer_kind", "scorer", "examples", "outputs", "models", "published_at",
)  # fmt: skip
EXAMPLE_COLUMNS = ("id", "prompt", "reference", "references", "choices", "context", "group", "schema", "meta")
OUTPUT_COLUMNS = (
    "item_id", "model", "text", "predicted", "correct", "prompt_tokens", "completion_tokens", "latency_s",
)  # fmt: skip
_DATASET_ORDERS = {
    "name": Order(column="name", read=str),
    "examples": Order(column="example_count"),
    "published": Order(column="published_at", read=datetime.fromisoformat),
}
_EXAMPLE_ORDERS = {
    "position": Order(column="position", tie="position"),
    "item": Order(column="item_id", read=str, tie="position"),
    "group": Order(column="group", read=str, tie="position"),
}
GROUPS_OFFERED = 200
_AT_ONCE = 500


def _asked_text(query: Mapping[str, str], name: str) -> str:
    # A null character cannot be looked for in PostgreSQL.
    return query.get(name, "").replace("\0", "").strip()[:200]


def _asked_sort(query: Mapping[str, str], orders: Mapping[str, Order], default: str) -> str:
    wanted = query.get("sort", "")
    return wanted if wanted.removeprefix("-") in orders else default


def _order(orders: Mapping[str, Order], sort: str) -> Order:
    return replace(orders[sort.removeprefix("-")], descending=sort.startswith("-"))


# The list


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFilter:
    """What the query string asks for; what it does not know asks for nothing."""

    text: str = ""
    workflow: str = ""
    kind: str = ""
    sort: str = "-published"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> DatasetFilter:
        kind = query.get("kind", "")
        return cls(
            text=_asked_text(query, "q"),
            workflow=_asked_text(query, "workflow"),
            kind=kind if kind in DatasetVersion.Kind.values else "",
            sort=_asked_sort(query, _DATASET_ORDERS, "-published"),
        )

    @property
    def order(self) -> Order:
        return _order(_DATASET_ORDERS, self.sort)

    @property
    def is_on(self) -> bool:
        return bool(self.text or self.workflow or self.kind)


def datasets_page(wanted: DatasetFilter, *, after: str | None, before: str | None) -> Page[DatasetVersion]:
    """The latest published version of each dataset, with ``name`` and ``model_count``. One query."""
    return page_of(_latest_versions(wanted), order=wanted.order, after=after, before=before)


def has_datasets() -> bool:
    return DatasetVersion.objects.published().exists()


def dataset_workflows() -> list[Workflow]:
    return list(Workflow.objects.order_by("name").only("slug", "name"))


def _latest_versions(wanted: DatasetFilter) -> QuerySet[DatasetVersion]:
    published = DatasetVersion.objects.published()
    latest = published.filter(dataset=OuterRef("dataset")).order_by("-number").values("pk")[:1]
    rows = published.filter(pk=Subquery(latest)).select_related("dataset__workflow")
    if wanted.text:
        rows = rows.filter(Q(dataset__name__icontains=wanted.text) | Q(dataset__slug__icontains=wanted.text))
    if wanted.workflow:
        rows = rows.filter(dataset__workflow__slug=wanted.workflow)
    if wanted.kind:
        rows = rows.filter(answer_kind=wanted.kind)
    models = LanguageModel.objects.filter(provider=OuterRef("recorded_by")).values("provider").annotate(n=Count("pk"))
    return rows.annotate(name=F("dataset__name"), model_count=Coalesce(Subquery(models.values("n")), 0))


def export_datasets(wanted: DatasetFilter) -> Iterator[dict[str, Any]]:
    """One row a dataset under DATASET_COLUMNS."""
    return (_exported_dataset(row) for row in wanted.order.sorted(_latest_versions(wanted)).iterator(_AT_ONCE))


def _exported_dataset(version: DatasetVersion) -> dict[str, Any]:
    workflow = version.dataset.workflow
    return {
        "dataset": version.dataset.slug,
        "name": version.dataset.name,
        "workflow": workflow.slug if workflow else None,
        "version": version.number,
        "answer_kind": version.answer_kind,
        "scorer": version.scorer,
        "examples": version.example_count,
        "outputs": version.output_count,
        "models": getattr(version, "model_count", 0),
        "published_at": version.published_at.isoformat() if version.published_at else None,
    }


# A version


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleFilter:
    text: str = ""
    group: str = ""
    sort: str = "position"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> ExampleFilter:
        return cls(
            text=_asked_text(query, "q"),
            group=_asked_text(query, "group"),
            sort=_asked_sort(query, _EXAMPLE_ORDERS, "position"),
        )

    @property
    def order(self) -> Order:
        return _order(_EXAMPLE_ORDERS, self.sort)

    @property
    def is_on(self) -> bool:
        return bool(self.text or self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedModel:
    """A model whose outputs came with the version: how many, and how many of them are marked right or wrong."""

    model: LanguageModel
    outputs: int
    unreadable: int
    labelled: int
    right: int

    @property
    def share_right(self) -> float | None:
        return self.right / self.labelled if self.labelled else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.right, self.labelled) if self.labelled else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """A published version. ``groups`` are (name, examples), at most GROUPS_OFFERED."""

    version: DatasetVersion
    versions: tuple[DatasetVersion, ...]
    groups: tuple[tuple[str, int], ...]
    models: tuple[RecordedModel, ...]
    examples: Page[Example]
    matching: int
    experiments: int

    @property
    def is_latest(self) -> bool:
        return self.versions[0] == self.version

    @property
    def note(self) -> str:
        return f"{len(self.examples.rows):,} of {self.matching:,} examples"


def find_version(slug: str, number: int | None) -> DatasetVersion | None:
    """The published version of that number, the latest one for None."""
    rows = DatasetVersion.objects.published().filter(dataset__slug=slug)
    if number is not None:
        rows = rows.filter(number=number)
    return rows.select_related("dataset__workflow", "recorded_by", "created_by").order_by("-number").first()


def version_page(
    version: DatasetVersion, wanted: ExampleFilter, *, after: str | None, before: str | None
) -> VersionPage:
    """Seven queries at most, whatever the number of rows."""
    examples = _examples(version, wanted)
    light = examples.only("position", "item_id", "title", "reference", "references", "choices", "group", "version_id")
    return VersionPage(
        version=version,
        versions=tuple(version.dataset.versions.published().order_by("-number")),
        groups=_groups(version),
        models=_recorded_models(version),
        examples=page_of(light, order=wanted.order, after=after, before=before),
        matching=examples.count() if wanted.is_on else version.example_count,
        experiments=version.experiments.count(),
    )


def _examples(version: DatasetVersion, wanted: ExampleFilter) -> QuerySet[Example]:
    rows = Example.objects.filter(version=version)
    if wanted.group:
        rows = rows.filter(group=wanted.group)
    if not wanted.text:
        return rows
    written = json.dumps(wanted.text, ensure_ascii=False)[1:-1]  # prompts are searched in the JSON they are kept in
    found = Q(prompt__icontains=written) | Q(item_id__icontains=wanted.text) | Q(reference__icontains=wanted.text)
    return rows.filter(found)


def _groups(version: DatasetVersion) -> tuple[tuple[str, int], ...]:
    rows = Example.objects.filter(version=version).exclude(group="").values_list("group").annotate(n=Count("pk"))
    return tuple((group, number) for group, number in rows.order_by("group")[:GROUPS_OFFERED])


def _recorded_models(version: DatasetVersion) -> tuple[RecordedModel, ...]:
    if version.recorded_by_id is None:
        return ()
    unreadable = RecordedOutput.objects.filter(model=OuterRef("pk"), has_predicted=True, predicted=None)
    number = unreadable.order_by().values("model").annotate(n=Count("pk")).values("n")
    models = list(
        LanguageModel.objects.filter(provider=version.recorded_by_id).annotate(unreadable=Coalesce(Subquery(number), 0))
    )
    counts = (
        RecordedOutput.objects.filter(model__in=models)
        .values_list("model")
        .annotate(outputs=Count("pk"), labelled=Count("correct"), right=Count("pk", filter=Q(correct=True)))
    )
    by_model = {row[0]: row[1:] for row in counts}
    found = (_recorded_model(model, by_model.get(model.pk, (0, 0, 0))) for model in models)
    return tuple(sorted(found, key=lambda row: row.model.name.casefold()))


def _recorded_model(model: LanguageModel, counts: tuple[int, int, int]) -> RecordedModel:
    outputs, labelled, right = counts
    unreadable = getattr(model, "unreadable", 0)
    return RecordedModel(model=model, outputs=outputs, unreadable=unreadable, labelled=labelled, right=right)


# Exports in the form in which they can be imported


def export_examples(version: DatasetVersion, wanted: ExampleFilter, *, as_text: bool) -> Iterator[dict[str, Any]]:
    """One row an example under EXAMPLE_COLUMNS. ``as_text`` writes lists and objects as JSON, for the cells of CSV."""
    rows = wanted.order.sorted(_examples(version, wanted)).iterator(_AT_ONCE)
    return (_exported_example(row, as_text=as_text) for row in rows)


def _exported_example(example: Example, *, as_text: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": example.item_id,
        "prompt": json.loads(example.prompt),
        "reference": example.reference,
        "references": example.references or None,
        "choices": example.choices or None,
        "context": example.context or None,
        "group": example.group or None,
        "schema": example.schema or None,
        "meta": example.meta or None,
    }
    return {name: _as_json(value) for name, value in row.items()} if as_text else row


def _as_json(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def export_outputs(version: DatasetVersion) -> Iterator[dict[str, Any]]:
    """One row a recorded output under OUTPUT_COLUMNS. ``predicted`` is there only where the import brought it."""
    rows = RecordedOutput.objects.filter(example__version=version).select_related("example", "model")
    light = rows.only("example__item_id", "model__name", *(name for name in OUTPUT_COLUMNS[2:]), "has_predicted")
    return (_exported_output(row) for row in light.order_by("example__position", "model__name").iterator(_AT_ONCE))


def _exported_output(output: RecordedOutput) -> dict[str, Any]:
    row = {name: getattr(output, name) for name in OUTPUT_COLUMNS[2:] if name != "predicted" or output.has_predicted}
    return {"item_id": output.example.item_id, "model": output.model.name, **row}
