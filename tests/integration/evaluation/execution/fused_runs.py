"""Runs as the engine leaves them: questions are fused from given replies, then stored as answers and calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import async_to_sync

from evaluation.models import Answer, Arm, Call, Dataset, DatasetVersion, Example, Experiment, RecordedOutput, Run
from evaluation.scorers import SCORERS, ScoredExample
from panels.fusion.fuse import fuse
from panels.fusion.outcomes import Fused, MemberCall
from panels.fusion.pricing import Price, call_cost
from panels.fusion.types import AnswerKind, Failure, FailureKind, Member, Panel, Question, Reply, Stage, StrategyName
from panels.models import LanguageModel, PanelVersion, Provider
from panels.models import Member as SeatRow
from panels.models import Panel as PanelRow

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REPLIES = Mapping[tuple[str, str], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPlan:
    """Stages of model names, in panel order."""

    name: str
    stages: tuple[tuple[str, ...], ...]
    is_baseline: bool = False
    strategy: StrategyName = StrategyName.MAJORITY
    stop_at: float | None = None
    settles: bool = False


def make_version(
    items: Sequence[Mapping[str, Any]],
    *,
    kind: AnswerKind = AnswerKind.CHOICE,
    scorer: str = "exact",
    slug: str = "items",
) -> DatasetVersion:
    """Items are ``{"id", "reference"?, "references"?, "choices"?}``."""
    dataset = Dataset.objects.create(slug=slug, name=slug, created_at=NOW)
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=1,
        answer_kind=kind.value,
        scorer=scorer,
        content_hash="0" * 64,
        example_count=len(items),
        created_at=NOW,
        published_at=NOW,
    )
    Example.objects.bulk_create([_example(version, place, item) for place, item in enumerate(items)], batch_size=500)
    return version


def make_models(names: Iterable[str], prices: Mapping[str, Price | None], *, simulated: bool = False) -> None:
    kind = Provider.Kind.SIMULATED if simulated else Provider.Kind.RECORDED
    url = "http://127.0.0.1:9/v1" if simulated else ""
    provider = Provider.objects.create(slug="given", name="Given", kind=kind, base_url=url, created_at=NOW)
    LanguageModel.objects.bulk_create(_model(provider, name, prices.get(name)) for name in names)


def make_run(version: DatasetVersion, plans: Sequence[ArmPlan]) -> Run:
    experiment = Experiment.objects.create(
        title="Comparison", dataset_version=version, replies=Experiment.Replies.RECORDED, created_at=NOW
    )
    for position, plan in enumerate(plans):
        Arm.objects.create(
            experiment=experiment,
            position=position,
            name=plan.name,
            is_baseline=plan.is_baseline,
            panel_version=_panel_version(plan, position),
        )
    return Run.objects.create(
        experiment=experiment,
        number=1,
        state=Run.State.FINISHED,
        answers_wanted=version.example_count * len(plans),
        created_at=NOW,
    )


def fuse_run(run: Run, plans: Sequence[ArmPlan], replies: REPLIES, *, keep_outputs: bool = False) -> None:
    """Every example through every arm; ``keep_outputs`` also stores the replies, for the recorded scorer."""
    version = run.experiment.dataset_version
    examples = list(version.examples.order_by("position"))
    models = {model.name: model for model in LanguageModel.objects.all()}
    if keep_outputs:
        RecordedOutput.objects.bulk_create(_outputs(examples, models, replies), batch_size=500)
    outputs: dict[tuple[int | None, int], int] = {
        (output.example_id, output.model_id): output.pk for output in RecordedOutput.objects.all()
    }
    for plan in plans:
        arm = run.experiment.arms.get(name=plan.name)
        fused = async_to_sync(_fuse_all)(plan, examples, version, replies)
        _store(run, arm, fused, version, models, outputs)


def _example(version: DatasetVersion, place: int, item: Mapping[str, Any]) -> Example:
    return Example(
        version=version,
        position=place,
        item_id=item["id"],
        title=item["id"],
        prompt=json.dumps([{"role": "user", "content": item["id"]}]),
        reference=item.get("reference"),
        references=item.get("references", []),
        choices=item.get("choices", []),
    )


def _model(provider: Provider, name: str, price: Price | None) -> LanguageModel:
    return LanguageModel(
        provider=provider,
        name=name,
        price_in_nanousd_per_mtok=price.in_nanousd_per_mtok if price else None,
        price_out_nanousd_per_mtok=price.out_nanousd_per_mtok if price else None,
        created_at=NOW,
    )


def _panel_version(plan: ArmPlan, position: int) -> PanelVersion:
    panel = PanelRow.objects.create(slug=f"panel-{position}", name=plan.name, created_at=NOW)
    version = PanelVersion.objects.create(
        panel=panel,
        number=1,
        strategy=plan.strategy.value,
        stop_at=plan.stop_at,
        last_stage_settles=plan.settles,
        content_hash=str(position),
        created_at=NOW,
    )
    names = [(stage, name) for stage, members in enumerate(plan.stages) for name in members]
    for seat, (stage, name) in enumerate(names):
        model = LanguageModel.objects.get(name=name)
        SeatRow.objects.create(version=version, model=model, stage=stage, seat=seat)
    return version


def _panel(plan: ArmPlan) -> Panel:
    last = len(plan.stages) - 1
    stages = tuple(
        Stage(members=tuple(Member(model=name) for name in names), settles=plan.settles and place == last)
        for place, names in enumerate(plan.stages)
    )
    return Panel(strategy=plan.strategy, stages=stages, stop_at=plan.stop_at)


def _question(example: Example, version: DatasetVersion) -> Question:
    kind = AnswerKind(version.answer_kind)
    return Question(
        item_id=example.item_id, messages=(), kind=kind, choices=tuple(example.choices), tolerance=version.tolerance
    )


async def _fuse_all(
    plan: ArmPlan, examples: Sequence[Example], version: DatasetVersion, replies: REPLIES
) -> list[tuple[Example, Fused]]:
    async def ask(*, question: Question, member: Member, seat: int, stage: int) -> Reply | Failure:
        missing = Failure(kind=FailureKind.NOT_RECORDED, detail="")
        return replies.get((question.item_id, member.model), missing)

    panel = _panel(plan)
    return [(one, await fuse(question=_question(one, version), panel=panel, ask=ask)) for one in examples]


def _store(
    run: Run,
    arm: Arm,
    fused: list[tuple[Example, Fused]],
    version: DatasetVersion,
    models: Mapping[str, LanguageModel],
    outputs: Mapping[tuple[int | None, int], int],
) -> None:
    answers = [_answer(run, arm, example, one, version, models) for example, one in fused]
    Answer.objects.bulk_create(answers, batch_size=500)
    pairs = zip(answers, fused, strict=True)
    calls = [_call(answer, call, models, outputs) for answer, (_, one) in pairs for call in one.calls]
    Call.objects.bulk_create(calls, batch_size=500)


def _answer(
    run: Run, arm: Arm, example: Example, fused: Fused, version: DatasetVersion, models: Mapping[str, LanguageModel]
) -> Answer:
    target = ScoredExample(
        question=_question(example, version), reference=example.reference, references=tuple(example.references)
    )
    score = SCORERS[version.scorer](fused, target)
    costs = [_cost(call, models) for call in fused.calls if isinstance(call.result, Reply)]
    failed = all(isinstance(call.result, Failure) for call in fused.calls)
    return Answer(
        run=run,
        arm=arm,
        example=example,
        position=example.position,
        outcome="answered" if fused.winner else "failed" if failed else "abstained",
        value=str(fused.winner.value)[:300] if fused.winner else None,
        winner_seat=fused.winner.seat if fused.winner else None,
        consensus=fused.consensus,
        correct=score.correct if score else None,
        stages_called=fused.stages_called,
        settled=fused.settled,
        call_count=len(fused.calls),
        cost_nanousd=None if None in costs else sum(cost for cost in costs if cost is not None),
        latency_s=_latency(fused),
        created_at=NOW,
    )


def _latency(fused: Fused) -> float | None:
    """Stage by stage, the slowest member; None if one was not timed."""
    timed = [(call.stage, call.result.latency_s) for call in fused.calls]
    if any(latency is None for _, latency in timed):
        return None
    stages = range(fused.stages_called)
    return sum(max(latency or 0.0 for stage, latency in timed if stage == number) for number in stages)


def _cost(call: MemberCall, models: Mapping[str, LanguageModel]) -> int | None:
    model = models[call.member.model]
    price = Price.known(model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok)
    return call_cost(price, call.result.usage)


def _call(
    answer: Answer, call: MemberCall, models: Mapping[str, LanguageModel], outputs: Mapping[tuple[int | None, int], int]
) -> Call:
    replied = isinstance(call.result, Reply)
    model = models[call.member.model]
    return Call(
        answer=answer,
        model=model,
        stage=call.stage,
        seat=call.seat,
        outcome=Call.OK if isinstance(call.result, Reply) else call.result.kind.value,
        recorded_output_id=outputs.get((answer.example_id, model.pk)) if replied else None,
        ballot=None if call.ballot.value is None else str(call.ballot.value),
        cost_nanousd=_cost(call, models) if replied else 0,
        spent_nanousd=0,
        latency_s=call.result.latency_s,
        created_at=NOW,
    )


def _outputs(
    examples: Sequence[Example], models: Mapping[str, LanguageModel], replies: REPLIES
) -> Iterable[RecordedOutput]:
    for example in examples:
        for name, model in models.items():
            reply = replies.get((example.item_id, name))
            if reply is not None and reply.recorded is not None:
                yield RecordedOutput(
                    example=example,
                    model=model,
                    text=reply.text,
                    has_predicted=reply.recorded.has_predicted,
                    predicted=reply.recorded.predicted,
                    correct=reply.recorded.correct,
                )
