"""The rows of a dataset version: written while nobody can see it, in short transactions, and taken away likewise."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Max, Model, QuerySet

from evaluation.execution.import_lease import ImportLease
from evaluation.execution.inserts import insert_rows
from evaluation.intake.checking import CheckedDataset
from evaluation.intake.content import ContentHash
from evaluation.intake.items import Item
from evaluation.intake.outputs import Output
from evaluation.models import Dataset, DatasetImport, DatasetVersion, Example, RecordedOutput
from panels.models import LanguageModel, Provider

ROWS_AT_ONCE = 1_000
# A thousand rows of ordinary size are a megabyte; long ones go in smaller batches, to bound memory.
_CHARS_AT_ONCE = 8_000_000

T = TypeVar("T")


def create_version(
    lease: ImportLease, *, dataset: Dataset, checked: CheckedDataset, by_id: int | None
) -> DatasetVersion:
    """The next version of the dataset, invisible, with the models that its outputs are of."""
    now = lease.clock()
    with transaction.atomic():
        lease.beat()
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        number = (dataset.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=number,
            answer_kind=checked.kind.value,
            scorer=checked.scorer,
            tolerance=checked.tolerance,
            content_hash=checked.content_hash,
            example_count=checked.items,
            output_count=checked.outputs,
            recorded_by=_create_models(dataset, number, checked, now) if checked.models else None,
            created_at=now,
            created_by_id=by_id,
        )
        DatasetImport.objects.filter(pk=lease.import_id).update(version=version)
    return version


def _create_models(dataset: Dataset, number: int, checked: CheckedDataset, now: datetime) -> Provider:
    provider = Provider.objects.create(
        slug=f"recorded-{dataset.slug}-v{number}",
        name=f"{dataset.name[:100]}, recorded",
        kind=Provider.Kind.RECORDED,
        created_at=now,
    )
    # Retired until the version is published, so that nothing offers them before.
    LanguageModel.objects.bulk_create(
        LanguageModel(
            provider=provider,
            name=price.model,
            price_in_nanousd_per_mtok=price.in_nanousd_per_mtok,
            price_out_nanousd_per_mtok=price.out_nanousd_per_mtok,
            price_source=price.source,
            status=LanguageModel.Status.RETIRED,
            retired_at=now,
            created_at=now,
        )
        for price in checked.models
    )
    return provider


def load_examples(
    lease: ImportLease, version: DatasetVersion, items: Iterable[Item], content: ContentHash
) -> Sequence[int]:
    """Writes the examples; gives their keys by position."""
    keys = array("q")

    def write(batch: list[Item]) -> None:
        rows = Example.objects.bulk_create([_example(version, item) for item in batch])
        keys.extend(row.pk for row in rows)

    for batch in _batches(items, lambda item: len(item.prompt) + len(item.context)):
        for item in batch:
            content.add_item(item)
        _write_batch(lease, batch, write)
    return keys


def _example(version: DatasetVersion, item: Item) -> Example:
    return Example(
        version=version,
        position=item.position,
        item_id=item.item_id,
        title=item.title,
        prompt=item.prompt,
        reference=item.reference,
        references=list(item.references),
        choices=list(item.choices),
        context=item.context,
        group=item.group,
        meta=item.meta,
        schema=item.schema,
    )


def load_outputs(
    lease: ImportLease,
    version: DatasetVersion,
    outputs: Iterable[Output],
    examples: Sequence[int],
    content: ContentHash,
) -> None:
    models = dict(LanguageModel.objects.filter(provider=version.recorded_by_id).values_list("name", "pk"))

    def write(batch: list[Output]) -> None:
        insert_rows(RecordedOutput, [_recorded(output, examples, models) for output in batch])

    for batch in _batches(outputs, lambda output: len(output.text)):
        for output in batch:
            content.add_output(output)
        _write_batch(lease, batch, write)


def _recorded(output: Output, examples: Sequence[int], models: Mapping[str, int]) -> dict[str, Any]:
    return {
        "example_id": examples[output.position],
        "model_id": models[output.model],
        "text": output.text,
        "has_predicted": output.has_predicted,
        "predicted": output.predicted,
        "correct": output.correct,
        "prompt_tokens": output.prompt_tokens,
        "completion_tokens": output.completion_tokens,
        "latency_s": output.latency_s,
    }


def _batches(rows: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    batch: list[T] = []
    chars = 0
    for row in rows:
        batch.append(row)
        chars += size_of(row)
        if len(batch) >= ROWS_AT_ONCE or chars >= _CHARS_AT_ONCE:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _write_batch(lease: ImportLease, batch: list[T], write: Callable[[list[T]], None]) -> None:
    lease.rows_done += len(batch)
    with transaction.atomic():
        lease.beat()
        write(batch)
    lease.tell()


def remove_version(version_id: int) -> None:
    """Takes an unpublished version away with its rows and models, some at a time. A published one stays."""
    version = DatasetVersion.objects.filter(pk=version_id, published_at=None).first()
    if version is None:
        return
    _remove_rows(RecordedOutput.objects.filter(example__version=version))
    _remove_rows(Example.objects.filter(version=version))
    with transaction.atomic():
        DatasetImport.objects.filter(version=version).update(version=None)
        version.delete()
        if version.recorded_by_id is not None:
            LanguageModel.objects.filter(provider=version.recorded_by_id).delete()
            Provider.objects.filter(pk=version.recorded_by_id).delete()


M = TypeVar("M", bound=Model)


def _remove_rows(rows: QuerySet[M]) -> None:
    while keys := list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=keys).only("pk").delete()
