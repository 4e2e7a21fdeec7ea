"""Keeps the rollups: every hour that was written into is counted anew from its rows, and its day added up again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import models, transaction

from evaluation.execution.rollup_counts import AnswerKey, CallKey, added_up, count_answers, count_calls
from evaluation.models import Answer, AnswerRollup, CallRollup, Grain, RollupDue, RollupState, Run
from evaluation.stats.log_histogram import pack, unpack

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Enough for a day that was written late, few enough to give the worker's thread back within a minute.
_MOST_HOURS = 48
_PACKED = ("latency", "first_token")


def mark_due(times: Iterable[datetime]) -> None:
    """To be called in the transaction that writes, changes or deletes answers or calls of these times."""
    hours = {hour_of(time) for time in times}
    RollupDue.objects.bulk_create(RollupDue(hour=hour) for hour in sorted(hours))


def mark_run_due(run: Run) -> None:
    """All hours in which the run has answers: something about them changed that is not their time."""
    mark_due(Answer.objects.filter(run=run).datetimes("created_at", "hour", tzinfo=UTC))


def hour_of(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def sweep_rollups(*, now: datetime, most_hours: int = _MOST_HOURS) -> int:
    """Rolls up what is due, the oldest first, one hour a transaction; how many hours that were.

    Of several sweeps at once one works, and the others leave at once.
    """
    due = list(RollupDue.objects.order_by("hour").values_list("hour", flat=True).distinct()[:most_hours])
    RollupState.objects.get_or_create(pk=RollupState.ONLY)
    done = sum(roll_up(hour) for hour in due)
    if done == len(due) < most_hours:
        RollupState.objects.filter(pk=RollupState.ONLY).update(swept_at=now)
    return done


@transaction.atomic
def roll_up(hour: datetime) -> bool:
    """Counts the hour anew, and adds up its day; False if another sweep is at work."""
    state = RollupState.objects.select_for_update(skip_locked=True).filter(pk=RollupState.ONLY)
    if state.first() is None:
        return False
    # What is written from here on leaves a mark of its own; what these marks stand for can be seen already.
    seen = list(RollupDue.objects.filter(hour=hour).values_list("pk", flat=True))
    _replace(CallRollup, Grain.HOUR, hour, count_calls(hour, hour + _HOUR))
    _replace(AnswerRollup, Grain.HOUR, hour, count_answers(hour, hour + _HOUR))
    _add_up_day(hour.replace(hour=0))
    RollupDue.objects.filter(pk__in=seen).delete()
    return True


def _add_up_day(day: datetime) -> None:
    _replace(CallRollup, Grain.DAY, day, _sums(CallRollup, CallKey._fields, day))
    _replace(AnswerRollup, Grain.DAY, day, _sums(AnswerRollup, AnswerKey._fields, day))


def _replace(
    model: type[models.Model], grain: Grain, starts_at: datetime, rows: Mapping[Any, Mapping[str, Any]]
) -> None:
    manager = model._default_manager
    manager.filter(grain=grain, starts_at=starts_at).delete()
    place = {"grain": grain, "starts_at": starts_at}
    manager.bulk_create(model(**place, **key._asdict(), **columns) for key, columns in rows.items())


def _sums(model: type[models.Model], key: Sequence[str], day: datetime) -> dict[Any, dict[str, Any]]:
    """The hours of the day, added up by key."""
    skipped = {"id", "grain", "starts_at", *key}
    columns = [field.attname for field in model._meta.concrete_fields if field.attname not in skipped]
    hours = model._default_manager.filter(grain=Grain.HOUR, starts_at__gte=day, starts_at__lt=day + _DAY)
    rows = sorted(hours.values(*key, *columns), key=lambda row: [row[name] or 0 for name in key])
    make = CallKey._make if model is CallRollup else AnswerKey._make
    return {
        make(values): _merged({name: row[name] for name in columns} for row in same)
        for values, same in groupby(rows, key=itemgetter(*key))
    }


def _merged(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total = added_up({name: _plain(value) for name, value in row.items()} for row in rows)
    return total | {name: pack(unpack(total[name])) for name in _PACKED if name in total}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
