"""What the monitoring page can be narrowed to, and what its address asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from django.db.models import QuerySet

from evaluation.models import AnswerRollup, Arm, CallRollup, Grain, Workflow
from evaluation.selectors.traffic import Span, TrafficFilter
from panels.models import LanguageModel, PanelVersion, Provider

Row = TypeVar("Row", PanelVersion, Arm, LanguageModel)

DEFAULT_SPAN = Span.WEEK
# A list that nobody can read helps nobody; what the address names is found anyway.
_OFFERED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """``value`` stands in the address, ``pk`` in the rollups. Options of one ``group`` come one after another."""

    pk: int
    value: str
    label: str
    group: str = ""
    target_p95_ms: int | None = None
    is_simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One list to choose from; ``chosen`` is None for all."""

    name: str
    label: str
    options: tuple[Option, ...]
    chosen: Option | None = None

    @property
    def noun(self) -> str:
        return self.label.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringFilter:
    """``unknown`` says in a sentence each what of the address there is not; it asks for nothing."""

    span: Span
    choices: tuple[Choice, ...]
    unknown: tuple[str, ...]

    @property
    def traffic(self) -> TrafficFilter:
        return TrafficFilter(**{choice.name: choice.chosen.pk for choice in self.choices if choice.chosen})

    @property
    def words(self) -> tuple[str, ...]:
        """What was chosen, each with what it is."""
        return tuple(f"{choice.noun} {choice.chosen.label}" for choice in self.choices if choice.chosen)

    @property
    def is_of_calls(self) -> bool:
        """Whether it chooses among the calls of an answer, of which whole answers know nothing."""
        return self.traffic.provider is not None or self.traffic.model is not None

    @property
    def target_p95_ms(self) -> int | None:
        return next((choice.chosen.target_p95_ms for choice in self.choices if choice.chosen), None)

    @property
    def offers_simulated(self) -> bool:
        return any(option.is_simulated for choice in self.choices for option in choice.options)


def monitoring_filter(query: Mapping[str, str]) -> MonitoringFilter:
    """Two queries, and one more for each thing that the address names and that has had no traffic yet."""
    unknown: list[str] = []
    choices = tuple(_chosen(choice, _asked(query, choice.name), unknown) for choice in _choices())
    return MonitoringFilter(span=_span(_asked(query, "span"), unknown), choices=choices, unknown=tuple(unknown))


def _asked(query: Mapping[str, str], name: str) -> str:
    """PostgreSQL takes no text with a zero byte."""
    return query.get(name, "").replace("\0", "").strip()


def _span(asked: str, unknown: list[str]) -> Span:
    if not asked:
        return DEFAULT_SPAN
    if asked not in Span.__members__.values():
        unknown.append(f"There is no time range “{_short(asked)}”; this is the one of {DEFAULT_SPAN}.")
        return DEFAULT_SPAN
    return Span(asked)


def _chosen(choice: Choice, asked: str, unknown: list[str]) -> Choice:
    if not asked:
        return choice
    found = next((option for option in choice.options if option.value == asked), None)
    if found is not None:
        return replace(choice, chosen=found)
    option = _FINDERS[choice.name](asked)
    if option is None:
        unknown.append(f"There is no {choice.noun} “{_short(asked)}”; this is of all.")
        return choice
    return replace(choice, options=(*choice.options, option), chosen=option)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _choices() -> Iterator[Choice]:
    workflows, versions, arms = _of_answers()
    providers, models = _of_calls()
    yield Choice(name="workflow", label="Workflow", options=_listed(workflows))
    yield Choice(name="version", label="Panel version", options=_listed(versions))
    yield Choice(name="arm", label="Arm", options=_newest_first(arms))
    yield Choice(name="provider", label="Provider", options=_listed(providers))
    yield Choice(name="model", label="Model", options=_listed(models))


def _listed(options: Iterable[Option]) -> tuple[Option, ...]:
    return tuple(sorted(set(options), key=lambda option: (option.group, option.label, option.pk))[:_OFFERED])


def _newest_first(options: Iterable[Option]) -> tuple[Option, ...]:
    """By experiment; arms are made in order, so those of one stand together."""
    return tuple(sorted(set(options), key=lambda option: -option.pk)[:_OFFERED])


def _of_answers() -> tuple[list[Option], list[Option], list[Option]]:
    """Workflows, panel versions and arms that have had answers. One query."""
    rows = AnswerRollup.objects.filter(grain=Grain.DAY).values_list(*_ANSWER_FIELDS).distinct()
    workflows, versions, arms = [], [], []
    for row in rows:
        slug, name, target, version, panel, number, arm, arm_name, experiment, workflow = row
        versions.append(_version_option(version, panel, number))
        if workflow is not None:
            workflows.append(Option(pk=workflow, value=slug, label=name, target_p95_ms=target))
        if arm is not None:
            arms.append(Option(pk=arm, value=str(arm), label=arm_name, group=experiment))
    return workflows, versions, arms


_ANSWER_FIELDS = (
    "workflow__slug", "workflow__name", "workflow__target_p95_ms", "panel_version_id", "panel_version__panel__name",
    "panel_version__number", "arm_id", "arm__name", "arm__experiment__title", "workflow_id",
)  # fmt: skip


def _of_calls() -> tuple[list[Option], list[Option]]:
    """Providers and models that have been asked. One query."""
    ids = CallRollup.objects.filter(grain=Grain.DAY).values("model")
    models = list(LanguageModel.objects.filter(pk__in=ids).select_related("provider"))
    return [_provider_option(model.provider) for model in models], [_model_option(model) for model in models]


def _version_option(pk: int, panel: str, number: int) -> Option:
    return Option(pk=pk, value=str(pk), label=f"{panel} v{number}")


def _provider_option(provider: Provider) -> Option:
    return Option(pk=provider.pk, value=provider.slug, label=provider.name, is_simulated=provider.is_simulated)


def _model_option(model: LanguageModel) -> Option:
    simulated = model.provider.is_simulated
    return Option(pk=model.pk, value=str(model.pk), label=model.name, group=model.provider.name, is_simulated=simulated)


def _find_workflow(asked: str) -> Option | None:
    found = Workflow.objects.filter(slug=asked).first()
    return (
        None
        if found is None
        else Option(pk=found.pk, value=found.slug, label=found.name, target_p95_ms=found.target_p95_ms)
    )


def _find_version(asked: str) -> Option | None:
    found = _by_pk(PanelVersion.objects.select_related("panel"), asked)
    return None if found is None else _version_option(found.pk, found.panel.name, found.number)


def _find_arm(asked: str) -> Option | None:
    found = _by_pk(Arm.objects.select_related("experiment"), asked)
    return None if found is None else Option(pk=found.pk, value=asked, label=found.name, group=found.experiment.title)


def _find_provider(asked: str) -> Option | None:
    found = Provider.objects.filter(slug=asked).first()
    return None if found is None else _provider_option(found)


def _find_model(asked: str) -> Option | None:
    found = _by_pk(LanguageModel.objects.select_related("provider"), asked)
    return None if found is None else _model_option(found)


def _by_pk(rows: QuerySet[Row], asked: str) -> Row | None:
    is_key = asked.isascii() and asked.isdigit() and len(asked) < 19
    return rows.filter(pk=int(asked)).first() if is_key else None


_FINDERS: Mapping[str, Callable[[str], Option | None]] = {
    "workflow": _find_workflow,
    "version": _find_version,
    "arm": _find_arm,
    "provider": _find_provider,
    "model": _find_model,
}
