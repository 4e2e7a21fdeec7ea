from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from panels.forms.drafts import ROWS_AT_MOST, STAGES, Draft
from panels.forms.problems import show_problems
from panels.fusion.types import Sampling, StrategyName
from panels.models import LanguageModel, PanelVersion
from panels.selectors.models import named_model
from panels.specs import MemberSpec, PanelSpec, StageSpec


def _small_box(mode: str = "decimal", size: int = 6) -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": mode, "size": size, "autocomplete": "off"})


class ScheduleForm(forms.Form):
    """What a version says besides its members."""

    strategy = forms.ChoiceField(
        choices=PanelVersion.Strategy.choices,
        help_text="Majority counts ballots. Weighted adds up the members’ weights.",
    )
    stop_at = forms.FloatField(
        label="Stop at consensus",
        required=False,
        widget=_small_box(),
        help_text="Above 0 and at most 1; 1 means all agree. A stage that reaches it ends the schedule. "
        "Empty: every stage is always called.",
    )
    settles = forms.BooleanField(
        label="The last stage settles",
        required=False,
        help_text="Its own leading answer is final, whatever the earlier stages said.",
    )


class PanelForm(ScheduleForm):
    name = forms.CharField(max_length=120)
    description = forms.CharField(required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))
    field_order = ("name", "description")


class MemberForm(forms.Form):
    """A seat. A row without a model is blank and says nothing, unless something else was changed in it."""

    model = forms.CharField(
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"list": "offered", "autocomplete": "off", "spellcheck": "false", "size": 26}),
    )
    weight = forms.FloatField(required=False, initial=1, widget=_small_box())
    max_tokens = forms.IntegerField(label="Longest output", required=False, initial=1024, widget=_small_box("numeric"))
    temperature = forms.FloatField(required=False, widget=_small_box())
    skill = forms.FloatField(required=False, widget=_small_box(size=10))
    top_p = forms.FloatField(label="Top P", required=False, widget=_small_box())
    seed = forms.IntegerField(
        required=False, min_value=-(2**63), max_value=2**63 - 1, widget=_small_box("numeric", size=10)
    )

    def clean_model(self) -> LanguageModel | None:
        text = self.cleaned_data["model"]
        model = named_model(text) if text else None
        if text and model is None:
            raise forms.ValidationError(f"There is no model {text}. Choose one of the suggestions.")
        return model

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        wanted = ("weight", "max_tokens")
        if data.get("model"):
            for name in wanted:
                if name in data and data[name] is None:
                    self.add_error(name, "Enter a number.")
        elif "model" in data and any(data.get(name) is not None for name in self.changed_data if name != "model"):
            self.add_error("model", "Choose a model, or remove this member.")
        return data

    @property
    def is_blank(self) -> bool:
        return not self.cleaned_data.get("model")

    @property
    def more(self) -> list[forms.BoundField]:
        """The settings that are folded away until they are needed."""
        return [self[name] for name in ("skill", "top_p", "seed")]

    @property
    def has_more(self) -> bool:
        return any(box.value() not in {None, ""} or box.errors for box in self.more)

    def member(self) -> MemberSpec:
        data = self.cleaned_data
        return MemberSpec(
            model_id=data["model"].pk,
            weight=data["weight"],
            skill=data["skill"],
            sampling=Sampling(
                max_tokens=data["max_tokens"],
                temperature=data["temperature"],
                top_p=data["top_p"],
                seed=data["seed"],
            ),
        )


class MemberRows(forms.BaseFormSet[MemberForm]):
    """The rows of one stage; ``number`` counts from 1. Every box says which row it is of."""

    number: int = 0
    fresh: int | None = None

    def add_fields(self, form: MemberForm, index: int | None) -> None:
        super().add_fields(form, index)
        for name, field in form.fields.items():
            label = field.label or name.capitalize()
            field.widget.attrs["aria-label"] = f"{label}, member {(index or 0) + 1} of stage {self.number}"
        if index is not None and index == self.fresh:
            form.fields["model"].widget.attrs["data-focus"] = ""

    @property
    def filled(self) -> list[MemberForm]:
        return [form for form in self.forms if not form.is_blank]

    @property
    def is_open(self) -> bool:
        """Later stages are folded away until something is in them."""
        used = any(form["model"].value() or form.errors for form in self.forms)
        return self.number == 1 or self.fresh is not None or used


_rows_of = forms.formset_factory(
    MemberForm, formset=MemberRows, extra=0, max_num=ROWS_AT_MOST, absolute_max=ROWS_AT_MOST
)


class PanelEditor:
    """The whole form of a version: the schedule and the rows of every stage."""

    def __init__(self, *, head: forms.Form, stages: Sequence[MemberRows]) -> None:
        self.head = head
        self.stages = stages

    def is_valid(self) -> bool:
        valid = [self.head.is_valid(), *(rows.is_valid() for rows in self.stages)]
        if all(valid) and self.head.cleaned_data["settles"] and len(self._used_stages()) < 2:
            self.head.add_error("settles", "One stage has nothing to settle. Fill in another stage, or clear this.")
            return False
        return all(valid)

    def spec(self) -> PanelSpec:
        """Of a valid form."""
        data, used = self.head.cleaned_data, self._used_stages()
        return PanelSpec(
            strategy=StrategyName(data["strategy"]),
            stop_at=data["stop_at"],
            stages=tuple(
                StageSpec(
                    members=tuple(form.member() for form in rows.filled),
                    settles=data["settles"] and rows is used[-1],
                )
                for rows in used
            ),
        )

    def show_problems(self, problems: Iterable[tuple[str, str]]) -> None:
        """Puts what the service found at the rows it names, ``stages.1.members.0.weight``, or above the form."""
        for field, message in problems:
            parts = field.split(".")
            if len(parts) == 5:
                self.stages[int(parts[1])].filled[int(parts[3])].add_error(parts[4], message)
            else:
                show_problems(self.head, [(parts[-1], message)])

    @property
    def is_judged(self) -> bool:
        """True for what was sent to be saved: shown again, it was refused."""
        return self.head.is_bound

    def _used_stages(self) -> list[MemberRows]:
        """Up to the last stage with a member: an empty one before it is a mistake to be told about."""
        last = max((number for number, rows in enumerate(self.stages, start=1) if rows.filled), default=0)
        return list(self.stages[:last])


def editor_of_draft(draft: Draft, *, is_new: bool) -> PanelEditor:
    """An editor that shows the draft and finds no fault in it yet."""
    form = PanelForm if is_new else ScheduleForm
    return PanelEditor(
        head=form(initial=dict(draft.head)),
        stages=[_draft_rows(draft, number) for number in range(STAGES)],
    )


def editor_of_post(data: QueryDict, *, is_new: bool) -> PanelEditor:
    form = PanelForm if is_new else ScheduleForm
    stages = [_numbered(_rows_of(data, prefix=f"stage{number}"), number) for number in range(STAGES)]
    return PanelEditor(head=form(data), stages=stages)


def _draft_rows(draft: Draft, number: int) -> MemberRows:
    rows = _rows_of(initial=[dict(row) for row in draft.stages[number]], prefix=f"stage{number}")
    rows = _numbered(rows, number)
    if draft.fresh is not None and draft.fresh[0] == number:
        rows.fresh = draft.fresh[1]
    return rows


def _numbered(rows: Any, number: int) -> MemberRows:
    rows.number = number + 1
    assert isinstance(rows, MemberRows)
    return rows
