from __future__ import annotations

from collections.abc import Iterable

from django import forms


def show_problems(form: forms.BaseForm, problems: Iterable[tuple[str, str]]) -> None:
    """Puts what a service found at the fields it names; what no field stands for comes above the form."""
    for field, message in problems:
        form.add_error(field if field in form.fields else None, message)
