from __future__ import annotations

from decimal import Decimal

from django import forms

from panels.fusion.pricing import nanousd_from_dollars


class ResumeForm(forms.Form):
    """A run goes on, with a higher cap where one is given."""

    cap = forms.DecimalField(
        min_value=Decimal("0.000001"), max_value=Decimal(1_000_000), required=False, label="New cap"
    )

    @property
    def cap_nanousd(self) -> int | None:
        cap = self.cleaned_data.get("cap")
        return None if cap is None else nanousd_from_dollars(cap)
