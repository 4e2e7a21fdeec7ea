"""What the arbiters of a run would take, before it is started: questions, money and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Avg, Exists, Max, OuterRef, Sum, prefetch_related_objects

from evaluation.models import Answer, ArmProgress, Call, DatasetVersion
from evaluation.selectors.byte_length import ByteLength
from panels.fusion.arbiter import worst_body_bytes
from panels.fusion.pricing import Price, call_cost, worst_case_cost
from panels.fusion.prompts import PROMPTS
from panels.fusion.types import AnswerKind, ArbiterWhen, Panel, Question, Usage
from panels.models import LanguageModel, PanelVersion
from panels.specs import engine_panel, possible_arbiter

# An arbiter whose analysis cannot be read is asked once more.
_QUESTIONS = 2
_BYTES_PER_TOKEN = 4
# Of text in JSON, since a quote or a line break takes two.
_MOST_GROWTH = 2
_RECENT_CALLS = 200
_Amount = TypeVar("_Amount", int, float)
# What a member is taken to write where nobody knows: about sixty words.
_USUAL_ANSWER_BYTES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterEstimate:
    """Questions to arbiters: ``least`` if members dispute nothing, ``most`` if each analysis is asked for twice.

    Of the expected ones ``reused`` need not be asked again, ``asked`` remain. Money in nano-dollars, None where the
    price of one that is asked is not known (``unpriced``); ``busy_s`` is the seconds that all of them take one after
    the other, None if nothing is known of their latency.
    """

    least: int = 0
    most: int = 0
    reused: int = 0
    asked: int = 0
    expected_nanousd: int | None = 0
    worst_nanousd: int | None = 0
    busy_s: float | None = 0.0
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """A panel version that may ask its arbiter. ``share`` of the examples does, of which ``held`` did."""

    panel: Panel
    model: LanguageModel
    may_settle: bool
    share: float
    held: int

    @property
    def price(self) -> Price | None:
        return Price.known(self.model.price_in_nanousd_per_mtok, self.model.price_out_nanousd_per_mtok)

    @property
    def max_tokens(self) -> int:
        return 0 if self.panel.arbiter is None else self.panel.arbiter.sampling.max_tokens

    @property
    def is_always_asked(self) -> bool:
        arbiter = self.panel.arbiter
        return arbiter is not None and arbiter.when is ArbiterWhen.ALWAYS and not self.may_settle


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """What is put before an arbiter: bytes of all prompts and of all evidence, over ``n`` examples."""

    n: int
    prompt_bytes: int
    evidence_bytes: int
    kind: AnswerKind


def estimate_arbiters(
    version: DatasetVersion, panels: Sequence[PanelVersion], *, reuse: bool, masks: bool = False
) -> ArbiterEstimate | None:
    """None where no panel may ask one. Five queries and one an arbiter, none if no panel has one."""
    kind = AnswerKind(version.answer_kind)
    judging = [panel for panel in panels if panel.arbiter_model_id is not None]
    judges = _judges(judging, version, kind, held=_held(version, judging, masks=masks) if reuse and judging else {})
    if not judges:
        return None
    texts = _texts(version, kind)
    asked = [max(0, round(texts.n * judge.share) - judge.held) for judge in judges]
    habits = {judge.model.pk: _habits_of(judge.model.pk) for judge in judges}
    wanted = list(zip(judges, asked, strict=True))
    return ArbiterEstimate(
        least=texts.n * sum(judge.is_always_asked for judge in judges),
        most=_QUESTIONS * texts.n * len(judges),
        reused=sum(round(texts.n * judge.share) - calls for judge, calls in wanted),
        asked=sum(asked),
        expected_nanousd=_sum([_expected(judge, calls, texts, habits[judge.model.pk][0]) for judge, calls in wanted]),
        worst_nanousd=_sum([_worst(judge, texts) for judge in judges]),
        busy_s=_sum([_busy_s(calls, habits[judge.model.pk][1]) for judge, calls in wanted]),
        unpriced=tuple(sorted({judge.model.name for judge in judges if judge.price is None})),
    )


def _judges(
    panels: Sequence[PanelVersion], version: DatasetVersion, kind: AnswerKind, *, held: Mapping[int, int]
) -> list[_Judge]:
    if not panels:
        return []
    prefetch_related_objects(list(panels), "members", "arbiter_model")
    shares = _shares(panels)
    judges = []
    for row in panels:
        panel = engine_panel(row)
        if row.arbiter_model is not None and possible_arbiter(panel, kind) is not None:
            judges.append(
                _Judge(
                    panel=panel,
                    model=row.arbiter_model,
                    may_settle=row.last_stage_settles,
                    share=shares.get(row.pk, 1.0),
                    held=min(held.get(row.pk, 0), round(version.example_count * shares.get(row.pk, 1.0))),
                )
            )
    return judges


def _texts(version: DatasetVersion, kind: AnswerKind) -> _Texts:
    total = version.examples.aggregate(prompts=Sum(ByteLength("prompt")), evidence=Sum(ByteLength("context")))
    return _Texts(
        n=version.example_count,
        prompt_bytes=total["prompts"] or 0,
        evidence_bytes=total["evidence"] or 0,
        kind=kind,
    )


def _shares(panels: Sequence[PanelVersion]) -> dict[int, float]:
    """By panel version: the share of answers that went to the arbiter in earlier runs; absent if there was none."""
    counted = (
        ArmProgress.objects.filter(arm__panel_version__in=[panel.pk for panel in panels], done__gt=0)
        .values_list("arm__panel_version")
        .annotate(answers=Sum("done"), asked=Sum("arbitrated"))
        .order_by()
    )
    return {panel: min(1.0, asked / answers) for panel, answers, asked in counted}


def _held(version: DatasetVersion, panels: Sequence[PanelVersion], *, masks: bool) -> dict[int, int]:
    """About how many examples of this version have had the arbiter of each panel version before."""
    alike = Answer.objects.filter(run=OuterRef("run"), masking__isnull=not masks)
    done = (
        ArmProgress.objects.filter(
            Exists(alike),
            run__experiment__dataset_version=version,
            arm__panel_version__in=[panel.pk for panel in panels],
        )
        .values_list("arm__panel_version")
        .annotate(asked=Max("arbitrated"))
        .order_by()
    )
    return dict(done)


def _habits_of(model: int) -> tuple[float | None, float | None]:
    """Mean tokens of output and mean seconds of the model's latest replies as an arbiter."""
    bought = Call.objects.filter(model=model, role=Call.Role.ARBITER, outcome=Call.OK, reused_from=None)
    recent = bought.order_by("-pk")[:_RECENT_CALLS]
    means = recent.aggregate(tokens=Avg("completion_tokens"), seconds=Avg("latency_s"))
    return means["tokens"], means["seconds"]


def _expected(judge: _Judge, calls: int, texts: _Texts, spoken: float | None) -> int | None:
    """Input at four bytes a token with answers of ordinary length; output as recently, or else as long as it may be."""
    frame = _frame_bytes(judge.panel)
    mean = (texts.prompt_bytes + texts.evidence_bytes) // max(1, texts.n)
    answers = len(judge.panel.members) * _USUAL_ANSWER_BYTES
    usage = Usage(
        prompt_tokens=(frame + mean + answers) // _BYTES_PER_TOKEN,
        completion_tokens=judge.max_tokens if spoken is None else round(min(spoken, judge.max_tokens)),
    )
    cost = call_cost(judge.price, usage)
    return 0 if not calls else None if cost is None else calls * cost


def _worst(judge: _Judge, texts: _Texts) -> int | None:
    if judge.price is None:
        return None
    each = worst_body_bytes(Question(item_id="", messages=(), kind=texts.kind), judge.panel)
    texts_bytes = _MOST_GROWTH * (texts.prompt_bytes + texts.evidence_bytes)
    return _QUESTIONS * worst_case_cost(
        judge.price, body_bytes=texts_bytes + texts.n * each, max_tokens=texts.n * judge.max_tokens
    )


def _frame_bytes(panel: Panel) -> int:
    """What the arbiter is told, without any data."""
    texts = PROMPTS.get("" if panel.arbiter is None else panel.arbiter.prompt, {}).values()
    return max((len(text.system) + len(text.opening) + len(text.closing) for text in texts), default=0)


def _busy_s(calls: int, seconds: float | None) -> float | None:
    return 0.0 if not calls else None if seconds is None else calls * seconds


def _sum(amounts: Sequence[_Amount | None]) -> _Amount | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, start=known[0] * 0) if known and len(known) == len(amounts) else None
