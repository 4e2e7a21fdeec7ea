from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms

from evaluation.execution.data_gate import policy_of
from evaluation.models import Run, Workflow
from panels.change_rules import Envelope, Range, envelope_of
from panels.fusion.pricing import NANOUSD_PER_USD, nanousd_from_dollars
from panels.gate import Purpose
from panels.models import ChangeRequest
from panels.selectors.change_sides import policy_json

_RANGES = {
    "weights": ("Weights", Decimal(0), Decimal(1_000_000)),
    "stop_at": ("Stops at consensus", Decimal("0.000001"), Decimal(1)),
    "deadline_s": ("Deadline, seconds", Decimal("0.000001"), Decimal(86_400)),
    "max_cost_nanousd": ("Ceiling, dollars", Decimal("0.000001"), Decimal(1_000)),
}
_HALF = "Give both ends of the range, or neither."
_UPSIDE_DOWN = "The range ends before it begins."


class RunField(forms.ModelChoiceField):  # type: ignore[type-arg] # not generic at run time
    """A run by its experiment and the day it ended."""

    def label_from_instance(self, obj: Run) -> str:
        day = "" if obj.finished_at is None else f", {obj.finished_at:%d %b %Y}"
        return f"{obj.experiment.title}, run {obj.number}{day}"


class ChangeRequestForm(forms.Form):
    """What an author says of a change: why, on which evidence, for which data, and how far it may move later."""

    summary = forms.CharField(
        label="What it is for", max_length=300, help_text="One sentence for the people who decide."
    )
    run = RunField(
        Run.objects.none(), required=False, label="Evidence", empty_label="None yet",
        help_text="A finished run that this version took part in. Its figures are frozen with the request.",
    )  # fmt: skip
    workflow = forms.ModelChoiceField(
        Workflow.objects.none(), required=False, empty_label="None: internal data",
        help_text="Whose data the panel is to see; its data class decides what contracts have to say.",
    )  # fmt: skip
    makes_baseline = forms.BooleanField(
        required=False,
        label="People may fall back to this version at once",
        help_text="It becomes the panel’s approved baseline.",
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, runs: Iterable[Run], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [run.pk for run in runs]
        run = self.fields["run"]
        assert isinstance(run, forms.ModelChoiceField)
        run.queryset = Run.objects.filter(pk__in=known).select_related("experiment__workflow").order_by("-pk")
        workflow = self.fields["workflow"]
        assert isinstance(workflow, forms.ModelChoiceField)
        workflow.queryset = Workflow.objects.order_by("name")
        for name, (label, least, most) in _RANGES.items():
            for end, word in (("from", "from"), ("to", "to")):
                self.fields[f"{name}_{end}"] = forms.DecimalField(
                    label=f"{label} {word}", required=False, min_value=least, max_value=most
                )

    @property
    def ranges(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        return [(self[f"{name}_from"], self[f"{name}_to"]) for name in _RANGES]

    def clean(self) -> dict[str, Any]:
        for name in _RANGES:
            low, high = self.cleaned_data.get(f"{name}_from"), self.cleaned_data.get(f"{name}_to")
            if (low is None) != (high is None):
                self.add_error(f"{name}_to", _HALF)
            elif low is not None and high is not None and low > high:
                self.add_error(f"{name}_to", _UPSIDE_DOWN)
        return self.cleaned_data

    def envelope(self) -> Envelope:
        return Envelope(**{name: self._range(name) for name in _RANGES})

    def _range(self, name: str) -> Range | None:
        low, high = self.cleaned_data[f"{name}_from"], self.cleaned_data[f"{name}_to"]
        if low is None:
            return None
        if name == "max_cost_nanousd":
            return nanousd_from_dollars(low), nanousd_from_dollars(high)
        return float(low), float(high)


def initial_of(request: ChangeRequest) -> dict[str, Any]:
    """What the form of an edit begins with."""
    found: dict[str, Any] = {
        "summary": request.summary,
        "makes_baseline": request.makes_baseline,
        "run": (request.evidence.get("run") or {}).get("id"),
        "workflow": _workflow_of(request),
        "revision": request.revision,
    }
    return found | envelope_initial(envelope_of(request.envelope))


def _workflow_of(request: ChangeRequest) -> Workflow | None:
    """Whose data the request speaks of: a workflow with this policy, that of the evidence before others."""
    rows = Workflow.objects.order_by("name")
    fitting = [one for one in rows if policy_json(policy_of(one, purpose=Purpose.PRODUCT)) == request.policy]
    named = (one for one in fitting if one.name == request.evidence.get("workflow"))
    return next(named, next(iter(fitting), None))


def envelope_initial(envelope: Envelope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _RANGES:
        bounds: Range | None = getattr(envelope, name)
        if bounds is not None:
            scale = NANOUSD_PER_USD if name == "max_cost_nanousd" else 1
            found |= {f"{name}_from": bounds[0] / scale, f"{name}_to": bounds[1] / scale}
    return found
