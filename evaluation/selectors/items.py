"""The item table of a run: one arm's answers, filtered, sorted and paged, each beside the baseline's answer.

The same filter, read from the same query string, gives the table, its export, and the neighbours of a trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet

from evaluation.models import Answer, Arm, Run
from evaluation.selectors.votes import votes_by_answer
from fusion_site.lib.paging import Order, Page, page_of

OUTCOMES = {
    "right": ("Right", Q(correct=True)),
    "wrong": ("Wrong", Q(correct=False)),
    "unscored": ("Unscored", Q(correct=None)),
    "abstained": ("No answer", ~Q(outcome=Answer.Outcome.ANSWERED)),
    "failed": ("Calls failed", Q(outcome=Answer.Outcome.FAILED)),
}
VERSUS = {"won": "Won", "lost": "Lost", "both": "Both right", "neither": "Neither right"}
ORDERS = {
    "position": Order(column="position", tie="position"),
    "consensus": Order(column="consensus", read=float, tie="position"),
    "cost": Order(column="cost_nanousd", tie="position", nullable=True),
    "latency": Order(column="latency_s", read=float, tie="position", nullable=True),
}
_HEADS = {
    "position": ("Item", ""),
    "consensus": ("Consensus", "share"),
    "latency": ("Latency", ""),
    "cost": ("Cost", "$, list price"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """What the query string asks for. Names it does not know, and values it cannot read, ask for nothing.

    A band of consensus holds its lower edge and not its upper one, except where the upper edge is 1.
    """

    arm: int | None = None
    outcome: str = ""
    versus: str = ""
    consensus_from: float | None = None
    consensus_to: float | None = None
    escalated: bool = False
    text: str = ""
    sort: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> ItemFilter:
        arm, sort = query.get("arm", ""), query.get("sort", "")
        return cls(
            arm=int(arm) if arm.isascii() and arm.isdigit() and len(arm) < 19 else None,
            outcome=_known(query.get("outcome", ""), OUTCOMES),
            versus=_known(query.get("versus", ""), VERSUS),
            consensus_from=_share(query.get("from", "")),
            consensus_to=_share(query.get("to", "")),
            escalated=query.get("escalated") == "1",
            text=query.get("q", "").replace("\0", "").strip()[:200],
            sort=sort if sort.removeprefix("-") in ORDERS else "",
        )

    @property
    def order(self) -> Order:
        order = ORDERS[self.sort.removeprefix("-") or "position"]
        return _reversed(order) if self.sort.startswith("-") else order

    @property
    def conditions(self) -> Q:
        """What of it applies to an answer; the arm is not among it."""
        return self._facet_conditions & self._band & self._text_condition

    @property
    def is_faceted_only(self) -> bool:
        return not self.text and self.consensus_from is None and self.consensus_to is None

    @property
    def names(self) -> tuple[str, ...]:
        """The filters that are on, in words."""
        named = (
            OUTCOMES[self.outcome][0].lower() if self.outcome else "",
            f"{VERSUS[self.versus].lower()} against the baseline" if self.versus else "",
            _band_words(self.consensus_from, self.consensus_to),
            "escalated" if self.escalated else "",
            f"“{self.text}”" if self.text else "",
        )
        return tuple(name for name in named if name)

    def query(self, **changes: object) -> str:
        """The query string that asks for this, ``changes`` applied: ``?arm=3&outcome=wrong``."""
        asked: dict[str, object] = {
            "arm": self.arm,
            "outcome": self.outcome,
            "versus": self.versus,
            "from": self.consensus_from,
            "to": self.consensus_to,
            "escalated": "1" if self.escalated else "",
            "q": self.text,
            "sort": self.sort,
        } | changes
        return "?" + urlencode({name: value for name, value in asked.items() if value not in (None, "")})

    @property
    def _facet_conditions(self) -> Q:
        wanted = OUTCOMES[self.outcome][1] if self.outcome else Q()
        wanted &= Q(versus=self.versus) if self.versus else Q()
        return wanted & (Q(stages_called__gt=1) if self.escalated else Q())

    @property
    def _band(self) -> Q:
        low, high = self.consensus_from, self.consensus_to
        above = Q() if low is None else Q(consensus__gte=low)
        return above if high is None or high >= 1 else above & Q(consensus__lt=high)

    @property
    def _text_condition(self) -> Q:
        if not self.text:
            return Q()
        written = json.dumps(self.text, ensure_ascii=False)[1:-1]  # prompts are searched in the JSON they are kept in
        return Q(example__prompt__icontains=written) | Q(example__item_id__icontains=self.text)


def _known(value: str, names: Mapping[str, object]) -> str:
    return value if value in names else ""


def _share(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return min(1.0, max(0.0, value)) if isfinite(value) else None


def _reversed(order: Order) -> Order:
    return Order(column=order.column, read=order.read, tie=order.tie, nullable=order.nullable, descending=True)


def _band_words(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"consensus {low or 0:g} to {1 if high is None else high:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """The baseline's answer to the same example."""

    answer_id: int
    outcome: str
    correct: bool | None
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An answer in the table. ``votes`` are the members' weights by group, the silent ones last."""

    answer_id: int
    position: int
    item_id: str
    title: str
    outcome: str
    value: str | None
    correct: bool | None
    consensus: float
    stages_called: int
    cost_nanousd: int | None
    latency_s: float | None
    versus: str
    votes: tuple[tuple[float, ...], ...]
    baseline: Counterpart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One value of a filter and how many of the arm's answers have it."""

    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column head; ``query`` sorts by it, and the other way round the second time. ``order`` as aria-sort has it."""

    label: str
    note: str
    query: str
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsPage:
    """The table. ``answered`` is how many answers the arm has, ``matching`` how many the filter leaves."""

    arm: Arm
    arms: tuple[Arm, ...]
    filter: ItemFilter
    page: Page[ItemRow]
    matching: int
    answered: int
    outcomes: tuple[Facet, ...]
    versus: tuple[Facet, ...]
    escalated: int

    @property
    def query(self) -> str:
        """The query string of this table, without its place in it: a trace or an export opened from it keeps it."""
        return self.filter.query(arm=self.arm.pk)

    @property
    def previous_query(self) -> str:
        key = self.page.previous_key
        return self.filter.query(arm=self.arm.pk, before=key) if key else ""

    @property
    def next_query(self) -> str:
        key = self.page.next_key
        return self.filter.query(arm=self.arm.pk, after=key) if key else ""

    @property
    def heads(self) -> dict[str, Head]:
        return {name: self._head(name, label, note) for name, (label, note) in _HEADS.items()}

    def _head(self, name: str, label: str, note: str) -> Head:
        current = self.filter.sort or "position"
        order = {name: "ascending", f"-{name}": "descending"}.get(current, "")
        falls_first = name != "position"  # the dearest, slowest and most agreed come first
        following = f"-{name}" if order == "ascending" or (falls_first and not order) else name
        return Head(label=label, note=note, order=order, query=self.filter.query(arm=self.arm.pk, sort=following))


def chosen_arm(arms: Sequence[Arm], wanted: int | None) -> Arm:
    """The arm asked for, else the first that is not the baseline."""
    asked = next((arm for arm in arms if arm.pk == wanted), None)
    return asked or next((arm for arm in arms if not arm.is_baseline), arms[0])


def filtered_answers(run: Run, *, arm: Arm, wanted: ItemFilter) -> QuerySet[Answer]:
    return Answer.objects.filter(wanted.conditions, run=run, arm=arm)


def items_page(
    run: Run, *, arms: Sequence[Arm], wanted: ItemFilter, after: str | None = None, before: str | None = None
) -> ItemsPage:
    """Five queries at most, whatever the number of rows."""
    arm = chosen_arm(arms, wanted.arm)
    counts = _facet_counts(run, arm)
    answers = filtered_answers(run, arm=arm, wanted=wanted)
    shown = page_of(_light(answers), order=wanted.order, after=after, before=before)
    return ItemsPage(
        arm=arm,
        arms=tuple(arms),
        filter=wanted,
        page=_with_rows(shown, run, arm, arms),
        matching=_matching(counts, wanted) if wanted.is_faceted_only else answers.count(),
        answered=sum(counts.values()),
        outcomes=tuple(_facets(counts, {name: label for name, (label, _) in OUTCOMES.items()}, wanted.outcome)),
        versus=() if arm.is_baseline else tuple(_facets(counts, VERSUS, wanted.versus)),
        escalated=sum(count for traits, count in counts.items() if "escalated" in traits),
    )


def _light(answers: QuerySet[Answer]) -> QuerySet[Answer]:
    shown = (
        "position", "outcome", "value", "correct", "consensus", "stages_called", "cost_nanousd", "latency_s", "versus",
        "example_id", "example__item_id", "example__title",
    )  # fmt: skip
    return answers.select_related("example").only(*shown)


def _facet_counts(run: Run, arm: Arm) -> dict[frozenset[str], int]:
    """How many answers of the arm have each set of traits: ``{"wrong", "lost", "escalated"}: 12``."""
    rows = (
        Answer.objects.filter(run=run, arm=arm)
        .values_list("outcome", "correct", "versus", "stages_called")
        .annotate(n=Count("pk"))
        .order_by()
    )
    counts: dict[frozenset[str], int] = {}
    for outcome, correct, versus, stages, count in rows:
        traits = _traits(outcome, correct, versus, stages)
        counts[traits] = counts.get(traits, 0) + count
    return counts


def _traits(outcome: str, correct: bool | None, versus: str, stages: int) -> frozenset[str]:
    traits = {"unscored" if correct is None else "right" if correct else "wrong", versus}
    traits |= {"abstained"} if outcome != Answer.Outcome.ANSWERED else set()
    traits |= {"failed"} if outcome == Answer.Outcome.FAILED else set()
    return frozenset(traits | ({"escalated"} if stages > 1 else set())) - {""}


def _matching(counts: Mapping[frozenset[str], int], wanted: ItemFilter) -> int:
    asked = {wanted.outcome, wanted.versus, "escalated" if wanted.escalated else ""} - {""}
    return sum(count for traits, count in counts.items() if asked <= traits)


def _facets(counts: Mapping[frozenset[str], int], names: Mapping[str, str], chosen: str) -> Iterator[Facet]:
    for value, label in names.items():
        count = sum(number for traits, number in counts.items() if value in traits)
        if count or value == chosen:
            yield Facet(value=value, label=label, count=count, chosen=value == chosen)


def _with_rows(shown: Page[Answer], run: Run, arm: Arm, arms: Sequence[Arm]) -> Page[ItemRow]:
    votes = votes_by_answer([answer.pk for answer in shown.rows])
    beside = {} if arm.is_baseline else _counterparts(shown.rows, run, arms)
    return shown.map(lambda answer: _row(answer, votes.get(answer.pk, ()), beside.get(answer.example_id)))


def _counterparts(answers: Sequence[Answer], run: Run, arms: Sequence[Arm]) -> dict[int | None, Counterpart]:
    baseline = [arm.pk for arm in arms if arm.is_baseline]
    found = Answer.objects.filter(
        run=run, arm__in=baseline, example__in=[answer.example_id for answer in answers]
    ).only("example_id", "outcome", "correct", "value")
    return {
        answer.example_id: Counterpart(
            answer_id=answer.pk, outcome=answer.outcome, correct=answer.correct, value=answer.value
        )
        for answer in found
    }


def _row(answer: Answer, votes: tuple[tuple[float, ...], ...], baseline: Counterpart | None) -> ItemRow:
    example = answer.example
    assert example is not None  # of a run
    return ItemRow(
        answer_id=answer.pk,
        position=answer.position,
        item_id=example.item_id,
        title=example.title,
        outcome=answer.outcome,
        value=answer.value,
        correct=answer.correct,
        consensus=answer.consensus,
        stages_called=answer.stages_called,
        cost_nanousd=answer.cost_nanousd,
        latency_s=answer.latency_s,
        versus=answer.versus,
        votes=votes,
        baseline=baseline,
    )
