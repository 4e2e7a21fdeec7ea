"""Which fields the examples have, and what would be masked of them: what is marked and not there protects nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from evaluation.covers import FIELDS_KEY
from evaluation.models import DatasetVersion, Example, Workflow
from evaluation.policies import masked_fields

_LOOKED_AT = 1_000
_MOST_OFFERED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUse:
    """``examples`` of ``of`` have a value of this name; None where nobody looked."""

    name: str
    examples: int = 0
    of: int = 0

    @property
    def words(self) -> str:
        return f"{self.name}, in {self.examples:,} of {self.of:,} examples"

    @property
    def is_missing(self) -> bool:
        return not self.examples


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMasking:
    """What a run would mask because the workflows ``by`` do. ``fields`` are counted if a dataset is chosen."""

    by: tuple[str, ...]
    fields: tuple[FieldUse, ...]
    is_counted: bool

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(use.name for use in self.fields if self.is_counted and use.is_missing)


def field_uses(workflow: Workflow) -> tuple[FieldUse, ...]:
    """The named values in the first thousand examples of each dataset's newest version, the most frequent first.

    One query, and one a dataset.
    """
    counts: Counter[str] = Counter()
    looked_at = 0
    for version in _newest_versions(workflow):
        metas = version.examples.order_by("position").values_list("meta", flat=True)[:_LOOKED_AT]
        for meta in metas:
            looked_at += 1
            counts.update(set(_names(meta)))
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_OFFERED]
    return tuple(FieldUse(name=name, examples=number, of=looked_at) for name, number in ordered)


def planned_masking(workflow: Workflow | None, version: DatasetVersion | None) -> PlannedMasking | None:
    """None where nothing would be masked. One query where a dataset is chosen and a field is marked."""
    workflows = (workflow, None if version is None else version.dataset.workflow)
    names = masked_fields(*workflows)
    if names is None:
        return None
    by = tuple(dict.fromkeys(each.name for each in workflows if each is not None and each.masks))
    if version is None or not names:
        return PlannedMasking(by=by, fields=tuple(FieldUse(name=name) for name in names), is_counted=False)
    counts = Example.objects.filter(version=version).aggregate(
        **{f"field_{place}": Count("pk", filter=_has(name)) for place, name in enumerate(names)}
    )
    uses = tuple(
        FieldUse(name=name, examples=counts[f"field_{place}"], of=version.example_count)
        for place, name in enumerate(names)
    )
    return PlannedMasking(by=by, fields=uses, is_counted=True)


def _newest_versions(workflow: Workflow) -> Iterable[DatasetVersion]:
    published = DatasetVersion.objects.published().filter(dataset__workflow=workflow)
    newest: dict[int, DatasetVersion] = {}
    for version in published.order_by("dataset", "-number"):
        newest.setdefault(version.dataset_id, version)
    return newest.values()


def _names(meta: Any) -> Iterable[str]:
    """Of values that stand with a name: in ``fields``, and beside them."""
    named = meta.get(FIELDS_KEY)
    inner = named if isinstance(named, dict) else {}
    return (name for name in (*inner, *meta) if name != FIELDS_KEY)


def _has(name: str) -> Q:
    return Q(**{f"meta__{FIELDS_KEY}__has_key": name}) | Q(meta__has_key=name)
