from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User

from evaluation.models import Arm, ReviewAssignment, ReviewSession, Run
from evaluation.selectors.review_planning import PlannedReview, people_in, planned_review, reviewable_runs
from evaluation.selectors.review_queue import FACTS
from evaluation.services.review_sessions import SessionPlan
from evaluation.services.rubrics import next_rubric

_METHODS = [choice for choice in ReviewSession.Method.choices if choice[0] != ReviewSession.Method.IMPORTED]
_PARTS = {"calibration_count": 8, "gold_percent": 5, "overlap_percent": 25, "overlap_votes": 2, "size": 100}
_FIELD_OF_PROBLEM = {"overlap": "overlap_percent", "gold_share": "gold_percent"}

_PREFERENCE = (
    (1, "Left much"), (2, "Left a bit"), (3, "Same"), (4, "Right a bit"), (5, "Right much"), (0, "Both unusable"),
)  # fmt: skip


def _level_field(label: str, levels: Iterable[tuple[int, str]]) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        coerce=int, empty_value=None, required=False, label=label, choices=[*levels], widget=forms.RadioSelect
    )


class _RunField(forms.ModelChoiceField):  # type: ignore[type-arg] # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.experiment.title}, run {obj.number}: {obj.experiment.dataset_version.example_count:,} examples"


class _PeopleField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg] # not generic at run time
    widget = forms.CheckboxSelectMultiple


class ReviewSessionForm(forms.Form):
    """A review session to be. Which arms are offered depends on the run."""

    title = forms.CharField(max_length=160, help_text="For owners only: reviewers see the workflow and a number.")
    run = _RunField(Run.objects.none(), label="Finished run", empty_label="Choose a run")
    first_arm = forms.ModelChoiceField(Arm.objects.none(), label="First arm", empty_label="Choose an arm")
    second_arm = forms.ModelChoiceField(Arm.objects.none(), label="Second arm", empty_label="Choose another arm")
    method = forms.ChoiceField(
        choices=_METHODS,
        label="Items are drawn",
        help_text="Disagreement first finds more errors per rating; every rate is weighted back to all items.",
    )
    strata_field = forms.CharField(
        required=False, max_length=80, label="Field to stratify by", help_text="group, or a key of the examples’ meta."
    )
    size = forms.IntegerField(min_value=1, max_value=100_000, label="Items")
    overlap_percent = forms.IntegerField(
        min_value=0, max_value=100, label="Overlap", help_text="100 % for the decision on a launch."
    )
    overlap_votes = forms.TypedChoiceField(
        coerce=int, choices=[(2, "2 votes"), (3, "3 votes")], label="Votes on an overlapping item"
    )
    calibration_count = forms.IntegerField(
        min_value=0, max_value=50, label="Calibration items", help_text="First, with feedback after each."
    )
    gold_percent = forms.IntegerField(
        min_value=0, max_value=50, label="Gold items", help_text="Known answers among the others, without a word."
    )
    shows_evidence = forms.BooleanField(required=False, label="Reviewers may open the evidence")
    shows_reference = forms.BooleanField(required=False, label="Reviewers may open the reference answer")
    reveals = forms.BooleanField(
        required=False,
        label="Reviewers may see the arms of an item they have rated",
        help_text="The blind rating is final then; what they change is kept beside it.",
    )
    open_queue = forms.BooleanField(required=False, label="Everybody who reviews may join")
    reviewers = _PeopleField(User.objects.none(), required=False)
    adjudicators = _PeopleField(User.objects.none(), required=False, help_text="They settle what reviewers dispute.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs = reviewable_runs()
        self.rubric = next_rubric()
        self._offer("run", self.runs)
        self._offer("reviewers", people_in("reviewer", "product manager"))
        self._offer("adjudicators", people_in("adjudicator", "product manager"))
        run = self._chosen_run()
        arms = Arm.objects.none() if run is None else Arm.objects.filter(experiment=run.experiment).order_by("position")
        self._offer("first_arm", arms)
        self._offer("second_arm", arms)
        for name, value in (_PARTS | {"shows_evidence": True}).items():
            self.fields[name].initial = value

    def plan(self) -> SessionPlan:
        """Of a valid form."""
        cleaned = dict(self.cleaned_data)
        overlap, gold = cleaned.pop("overlap_percent") / 100, cleaned.pop("gold_percent") / 100
        reviewers, adjudicators = (tuple(cleaned.pop(name)) for name in ("reviewers", "adjudicators"))
        return SessionPlan(**cleaned, reviewers=reviewers, adjudicators=adjudicators, overlap=overlap, gold_share=gold)

    def planned(self, now: datetime) -> PlannedReview | None:
        """None until a run and a number of items are chosen; whatever else is still wrong."""
        self.is_valid()
        cleaned = self.cleaned_data
        if not {"run", *_PARTS} <= cleaned.keys():
            return None
        return planned_review(
            run=cleaned["run"],
            size=cleaned["size"],
            overlap=cleaned["overlap_percent"] / 100,
            overlap_votes=cleaned["overlap_votes"],
            calibration=cleaned["calibration_count"],
            gold_share=cleaned["gold_percent"] / 100,
            people=cleaned.get("reviewers") or (None if cleaned.get("open_queue") else ()),
            now=now,
        )

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Put what the domain refused beside its field."""
        for field, message in problems:
            name = _FIELD_OF_PROBLEM.get(field, field)
            self.add_error(name if name in self.fields else None, message)

    def _offer(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows

    def _chosen_run(self) -> Run | None:
        pk = str(self["run"].value() or "")
        return self.runs.filter(pk=int(pk)).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None


class AssignForm(forms.Form):
    """Somebody more for a session."""

    person = forms.ModelChoiceField(User.objects.none(), empty_label="Choose a person")
    role = forms.ChoiceField(choices=ReviewAssignment.Role.choices, label="Part")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = self.fields["person"]
        assert isinstance(people, forms.ModelChoiceField)
        people.queryset = people_in("reviewer", "adjudicator", "product manager")


class AdjudicationForm(forms.Form):
    """What settles a disputed item, for the answers as they lie on the page: first on the left."""

    first_facts = _level_field("Facts in the left answer", FACTS.items())
    second_facts = _level_field("Facts in the right answer", FACTS.items())
    preference = _level_field("Which is better overall?", _PREFERENCE)
    reason = forms.CharField(max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}), label="What settles it")

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        for field, message in problems:
            self.add_error(field, message)
