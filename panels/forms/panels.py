from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from panels.forms.drafts import ROWS_AT_MOST, STAGES, Draft
from panels.forms.problems import show_problems
from panels.fusion.pricing import nanousd_from_dollars
from panels.fusion.prompts import NEWEST
from panels.fusion.types import ArbiterWhen, Sampling, StrategyName, Timing
from panels.models import LanguageModel, PanelVersion
from panels.selectors.models import named_model
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec


def _small_box(mode: str = "decimal", size: int = 6) -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": mode, "size": size, "autocomplete": "off"})


def _named(text: str) -> LanguageModel | None:
    model = named_model(text) if text else None
    if text and model is None:
        raise forms.ValidationError(f"There is no model {text}. Choose one of the suggestions.")
    return model


class ScheduleForm(forms.Form):
    """What a version says besides its members."""

    strategy = forms.ChoiceField(
        choices=PanelVersion.Strategy.choices,
        help_text="Majority counts ballots, weighted adds up the members’ weights. With an arbiter, verification "
        "checks every claim against the evidence, synthesis writes one answer from all, and automatic picks "
        "by what is asked.",
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


class ArbiterForm(forms.Form):
    """The arbiter; without a model there is none, and the rest says nothing."""

    arbiter = forms.CharField(
        label="Arbiter",
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"list": "offered", "autocomplete": "off", "spellcheck": "false", "size": 26}),
        help_text="The model that verifies or synthesises when members disagree. It sees their answers without names, "
        "in random order.",
    )
    arbiter_when = forms.ChoiceField(
        label="Ask the arbiter",
        choices=PanelVersion.ArbiterWhen.choices,
        required=False,
        help_text="Disputed: the members’ consensus stays below the stop rule, or without one they are not unanimous.",
    )
    arbiter_max_tokens = forms.IntegerField(
        label="Longest output of the arbiter", required=False, initial=2048, widget=_small_box("numeric")
    )
    arbiter_temperature = forms.FloatField(label="Temperature of the arbiter", required=False, widget=_small_box())
    arbiter_seed = forms.IntegerField(
        label="Seed of the arbiter",
        required=False,
        min_value=-(2**63),
        max_value=2**63 - 1,
        widget=_small_box("numeric", size=10),
    )
    arbiter_may_be_member = forms.BooleanField(
        label="The arbiter may be a member",
        required=False,
        help_text="Otherwise a model that sits on the panel is never its own judge.",
    )

    def clean_arbiter(self) -> LanguageModel | None:
        return _named(self.cleaned_data["arbiter"])

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("arbiter") and "arbiter_max_tokens" in data and data["arbiter_max_tokens"] is None:
            self.add_error("arbiter_max_tokens", "Enter a number.")
        return data

    def spec(self, strategy: StrategyName) -> ArbiterSpec | None:
        """Of a valid form. A new version is given the newest prompt of its strategy."""
        data = self.cleaned_data
        if data["arbiter"] is None:
            return None
        return ArbiterSpec(
            model_id=data["arbiter"].pk,
            prompt=NEWEST.get(strategy, strategy.value),
            when=ArbiterWhen(data["arbiter_when"] or ArbiterWhen.DISPUTED),
            sampling=Sampling(
                max_tokens=data["arbiter_max_tokens"],
                temperature=data["arbiter_temperature"],
                seed=data["arbiter_seed"],
            ),
            may_be_member=data["arbiter_may_be_member"],
        )


class LiveForm(forms.Form):
    """What a live answer may wait and cost; runs wait for every member, and have a cap of their own."""

    min_replies = forms.IntegerField(
        label="Least number of replies",
        required=False,
        widget=_small_box("numeric"),
        help_text="A stage may end early once these are in and no other reply could change the winner. "
        "Empty: more than half of the stage.",
    )
    grace_s = forms.FloatField(
        label="Grace period, seconds",
        required=False,
        widget=_small_box(),
        help_text="How much longer the others are waited for once the least number is in. Empty: until they answer.",
    )
    deadline_s = forms.FloatField(
        label="Deadline, seconds",
        required=False,
        widget=_small_box(),
        help_text="After it the best answer at hand is given, and says so.",
    )
    hedges = forms.BooleanField(
        label="Ask the slowest member twice",
        required=False,
        help_text="After its own 95th percentile a second, equal request is sent; the first reply counts.",
    )
    max_cost = forms.DecimalField(
        label="Ceiling per request, dollars",
        required=False,
        max_digits=12,
        decimal_places=9,
        widget=_small_box(size=10),
        help_text="Never crossed: what does not fit is left out, and the answer says what. Empty: no ceiling.",
    )

    def timing(self) -> Timing:
        data = self.cleaned_data
        names = ("min_replies", "grace_s", "deadline_s", "hedges")
        return Timing(**{name: data[name] for name in names})

    def max_cost_nanousd(self) -> int | None:
        dollars = self.cleaned_data["max_cost"]
        return None if dollars is None else nanousd_from_dollars(dollars)


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

    in_house = forms.BooleanField(label="In-house: may see raw text", required=False)

    def clean_model(self) -> LanguageModel | None:
        return _named(self.cleaned_data["model"])

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        wanted = ("weight", "max_tokens")
        if data.get("model"):
            for name in wanted:
                if name in data and data[name] is None:
                    self.add_error(name, "Enter a number.")
        elif "model" in data and any(
            data.get(name) not in {None, False} for name in self.changed_data if name != "model"
        ):
            self.add_error("model", "Choose a model, or remove this member.")
        return data

    @property
    def is_blank(self) -> bool:
        return not self.cleaned_data.get("model")

    @property
    def more(self) -> list[forms.BoundField]:
        """The settings that are folded away until they are needed."""
        return [self[name] for name in ("skill", "top_p", "seed", "in_house")]

    @property
    def has_more(self) -> bool:
        return any(box.value() not in {None, "", False} or box.errors for box in self.more)

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
            in_house=data["in_house"],
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

    def __init__(self, *, head: forms.Form, arbiter: ArbiterForm, live: LiveForm, stages: Sequence[MemberRows]) -> None:
        self.head = head
        self.arbiter = arbiter
        self.live = live
        self.stages = stages

    def is_valid(self) -> bool:
        valid = [self.head.is_valid(), self.arbiter.is_valid(), self.live.is_valid()]
        valid += [rows.is_valid() for rows in self.stages]
        if all(valid) and self.head.cleaned_data["settles"] and len(self._used_stages()) < 2:
            self.head.add_error("settles", "One stage has nothing to settle. Fill in another stage, or clear this.")
            return False
        return all(valid)

    def spec(self) -> PanelSpec:
        """Of a valid form."""
        data, used = self.head.cleaned_data, self._used_stages()
        strategy = StrategyName(data["strategy"])
        return PanelSpec(
            strategy=strategy,
            stop_at=data["stop_at"],
            arbiter=self.arbiter.spec(strategy),
            timing=self.live.timing(),
            max_cost_nanousd=self.live.max_cost_nanousd(),
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
                show_problems(self._form_with(parts[-1]), [(parts[-1], message)])

    @property
    def is_judged(self) -> bool:
        """True for what was sent to be saved: shown again, it was refused."""
        return self.head.is_bound

    @property
    def asks_arbiter(self) -> bool:
        return bool(self.arbiter["arbiter"].value() or self.arbiter.errors)

    @property
    def is_timed(self) -> bool:
        return bool(any(box.value() not in {None, "", False} for box in self.live) or self.live.errors)

    def _form_with(self, field: str) -> forms.Form:
        return next((form for form in (self.arbiter, self.live) if field in form.fields), self.head)

    def _used_stages(self) -> list[MemberRows]:
        """Up to the last stage with a member: an empty one before it is a mistake to be told about."""
        last = max((number for number, rows in enumerate(self.stages, start=1) if rows.filled), default=0)
        return list(self.stages[:last])


def editor_of_draft(draft: Draft, *, is_new: bool) -> PanelEditor:
    """An editor that shows the draft and finds no fault in it yet."""
    form = PanelForm if is_new else ScheduleForm
    return PanelEditor(
        head=form(initial=dict(draft.head)),
        arbiter=ArbiterForm(initial={"arbiter_max_tokens": 2048, **draft.head}),
        live=LiveForm(initial=dict(draft.head)),
        stages=[_draft_rows(draft, number) for number in range(STAGES)],
    )


def editor_of_post(data: QueryDict, *, is_new: bool) -> PanelEditor:
    form = PanelForm if is_new else ScheduleForm
    stages = [_numbered(_rows_of(data, prefix=f"stage{number}"), number) for number in range(STAGES)]
    return PanelEditor(head=form(data), arbiter=ArbiterForm(data), live=LiveForm(data), stages=stages)


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
