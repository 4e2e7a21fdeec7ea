from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet

from evaluation.models import DatasetVersion, Experiment, Workflow
from evaluation.selectors.experiments import PanelChoice, panel_choices, published_versions
from evaluation.services.experiments import ArmSpec
from panels.fusion.pricing import nanousd_from_dollars
from panels.models import PanelVersion

MOST_CONCURRENCY = 1_000
_FIELD_OF_PROBLEM = {"arms": "panels"}


class _VersionField(forms.ModelChoiceField):  # type: ignore[type-arg] # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        recorded = ", recorded outputs" if obj.output_count else ""
        return f"{obj.dataset.name} v{obj.number}: {obj.example_count:,} examples{recorded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelOption:
    """A panel version to tick."""

    panel: PanelChoice
    chosen: bool


class ExperimentForm(forms.Form):
    """A comparison to be. Which panels are offered depends on the dataset version and on where replies come from."""

    title = forms.CharField(max_length=160, help_text="Shown in lists and reports.")
    workflow = forms.ModelChoiceField(Workflow.objects.order_by("name"), required=False, empty_label="No workflow")
    dataset_version = _VersionField(DatasetVersion.objects.none(), label="Dataset", empty_label="Choose a dataset")
    replies = forms.ChoiceField(choices=Experiment.Replies.choices, initial=Experiment.Replies.LIVE)
    baseline = forms.ChoiceField(help_text="What the team uses today. Every panel is compared with it.")
    panels = forms.MultipleChoiceField(help_text="One or several. Each becomes an arm.", required=True)
    concurrency = forms.IntegerField(
        min_value=1,
        max_value=MOST_CONCURRENCY,
        initial=16,
        label="Calls at once",
        help_text="Over all workers. A provider's own limits may be lower.",
    )
    cap = forms.DecimalField(
        min_value=Decimal("0.000001"),
        max_value=Decimal(1_000_000),
        required=False,
        label="Money cap",
        help_text="The run stops before it would cross it. Without one it runs to its end.",
    )
    reuse = forms.BooleanField(
        required=False, initial=True, label="Reuse replies that are already recorded", help_text="They cost nothing."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.versions: QuerySet[DatasetVersion] = published_versions()
        self._field("dataset_version", forms.ModelChoiceField).queryset = self.versions
        self.choices = panel_choices(self._chosen_version(), replies=self._asked("replies"))
        options = [(str(panel.pk), panel.label) for panel in self.choices]
        self._field("baseline", forms.ChoiceField).choices = [("", "Choose the baseline"), *options]
        self._field("panels", forms.MultipleChoiceField).choices = options

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("baseline") in cleaned.get("panels", []):
            self.add_error("panels", "The baseline is one of the panels. Choose another panel, or another baseline.")
        return cleaned

    @property
    def panel_options(self) -> list[PanelOption]:
        chosen = set(self["panels"].value() or [])
        return [PanelOption(panel=panel, chosen=str(panel.pk) in chosen) for panel in self.choices]

    @property
    def cap_nanousd(self) -> int | None:
        cap = self.cleaned_data.get("cap")
        return None if cap is None else nanousd_from_dollars(cap)

    def arms(self) -> list[ArmSpec]:
        """The baseline first, then the panels in the order they are offered; each named after its panel version."""
        baseline, panels = self.cleaned_data["baseline"], self.cleaned_data["panels"]
        wanted = [baseline, *(pk for pk, _ in self._field("panels", forms.MultipleChoiceField).choices if pk in panels)]
        versions = PanelVersion.objects.select_related("panel").in_bulk([int(pk) for pk in wanted])
        return [
            ArmSpec(name=f"{version.panel.name} v{version.number}", panel_version=version, is_baseline=place == 0)
            for place, version in enumerate(versions[int(pk)] for pk in wanted)
        ]

    def chosen_panels(self) -> list[PanelVersion]:
        """Panel versions ticked so far, the baseline among them; whatever else is still wrong."""
        cleaned = getattr(self, "cleaned_data", {})
        wanted = [*cleaned.get("panels", []), cleaned.get("baseline")]
        return list(PanelVersion.objects.filter(pk__in=[int(pk) for pk in wanted if pk]))

    def add_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Put what the domain refused beside its field; ``arms.0`` is the baseline."""
        for field, message in problems:
            name = _FIELD_OF_PROBLEM.get(field, field)
            name = "baseline" if name.startswith("arms.0") else "panels" if name.startswith("arms.") else name
            self.add_error(name if name in self.fields else None, message)

    def _field(self, name: str, kind: type[Any]) -> Any:
        field = self.fields[name]
        assert isinstance(field, kind)
        return field

    def _asked(self, name: str) -> str:
        return str(self[name].value() or "")

    def _chosen_version(self) -> DatasetVersion | None:
        pk = self._asked("dataset_version")
        return self.versions.filter(pk=int(pk)).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
