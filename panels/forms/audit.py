"""What the audit page can be filtered by. A word in the URL that means nothing filters nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date

from panels.selectors.audit import AuditFilter, audit_actions

_LONGEST = 200


def _text(**attributes: str) -> forms.CharField:
    box = forms.TextInput(attrs={"maxlength": _LONGEST, "autocomplete": "off", **attributes})
    return forms.CharField(required=False, widget=box)


def _day() -> forms.DateField:
    return forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))


class AuditFilterForm(forms.Form):
    actor = _text(placeholder="Login name", type="search")
    action = forms.ChoiceField(required=False)
    subject = _text(placeholder="panel:sales", type="search")
    since = _day()
    until = _day()

    def __init__(self, query: QueryDict) -> None:
        super().__init__(initial=query.dict())
        action = self.fields["action"]
        assert isinstance(action, forms.ChoiceField)
        action.choices = [("", "Any"), *((name, name) for name in audit_actions())]


def read_audit_filter(query: QueryDict) -> AuditFilter:
    """Days are those of the installation's time zone, both included."""
    until = _asked_day(query, "until")
    return AuditFilter(
        actor=_asked(query, "actor"),
        action=_asked(query, "action"),
        subject=_asked(query, "subject"),
        since=_midnight(_asked_day(query, "since")),
        before=_midnight(until + timedelta(days=1) if until else None),
    )


def _asked(query: QueryDict, name: str) -> str:
    # A null character cannot be looked for in PostgreSQL.
    return query.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def _asked_day(query: QueryDict, name: str) -> date | None:
    try:
        day = parse_date(query.get(name, ""))
    except ValueError:  # a day that no month has
        return None
    # The first and last days there are have no midnight in every zone.
    return day if day is not None and 1 < day.year < date.max.year else None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
