"""From a row that names a range of examples to everything a worker needs to answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet

from evaluation.execution.plan import PlannedArm, RunPlan
from evaluation.execution.replies import find_own_replies, find_replies, load_outputs, reply_of_call
from evaluation.execution.units import Attempt, Item, LoadedBatch, OpenExample, Previous, Purchase, Unit
from evaluation.models import Answer, Batch, Call, Example
from evaluation.scorers import ScoredExample
from panels.fusion.clients.recorded import RecordedClient
from panels.fusion.pricing import worst_case_cost
from panels.fusion.replies import reply_key
from panels.fusion.types import Member, ModelRequest, Question
from panels.gateway import client_class

# Names a purchase inside a batch: seats with the same name share one reply.
_Name = tuple[object, ...]


def load_batch(plan: RunPlan, batch: Batch) -> LoadedBatch:
    """Reads the batch's examples, drops answers that are already written, and finds replies that can be reused."""
    positions = (batch.first_position, batch.last_position)
    wanted = _wanted_again(plan, positions) if batch.retry else _wanted(plan, positions)
    fill = _fill_replay if plan.replays else _fill_live
    return fill(plan, batch, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A unit before its seats are furnished. ``kept`` holds replies that the answer already has, by seat."""

    item: Item
    arm: PlannedArm
    previous: Previous | None = None
    kept: dict[int, Call] = field(default_factory=dict)


def _load_items(plan: RunPlan, **lookups: object) -> list[Item]:
    rows = Example.objects.filter(version_id=plan.version_id, **lookups).order_by("position")
    fields = ("pk", "position", "item_id", "prompt", "reference", "references", "choices")
    return [_item(plan, example) for example in rows.only(*fields)]


def _item(plan: RunPlan, example: Example) -> Item:
    question = Question(
        item_id=example.item_id,
        messages=example.messages,
        kind=plan.kind,
        choices=tuple(example.choices),
        tolerance=plan.tolerance,
    )
    scored = ScoredExample(question=question, reference=example.reference, references=tuple(example.references))
    return Item(example_id=example.pk, position=example.position, scored=scored)


def _wanted(plan: RunPlan, positions: tuple[int, int]) -> list[_Wanted]:
    answers = _answers(plan, positions)
    written = set(answers.values_list("example_id", "arm_id"))
    return [
        _Wanted(item=item, arm=arm)
        for item in _load_items(plan, position__range=positions)
        for arm in plan.arms
        if (item.example_id, arm.pk) not in written
    ]


def _answers(plan: RunPlan, positions: tuple[int, int]) -> QuerySet[Answer]:
    # The arms are named because the index begins with them.
    return Answer.objects.filter(
        run_id=plan.run_id, arm_id__in=[arm.pk for arm in plan.arms], position__range=positions
    )


def _wanted_again(plan: RunPlan, positions: tuple[int, int]) -> list[_Wanted]:
    failed = _answers(plan, positions).filter(outcome=Answer.Outcome.FAILED)
    answers = list(failed.order_by("position", "arm_id"))
    # The range may span many examples that did not fail.
    items = _load_items(plan, pk__in={answer.example_id for answer in answers})
    by_example = {item.example_id: item for item in items}
    arms = {arm.pk: arm for arm in plan.arms}
    latest = _latest_calls([answer.pk for answer in answers])
    return [
        _Wanted(
            item=by_example[answer.example_id],
            arm=arms[answer.arm_id],
            previous=_previous(answer, latest.get(answer.pk, {})),
            kept={seat: call for seat, call in latest.get(answer.pk, {}).items() if call.is_ok},
        )
        for answer in answers
    ]


def _latest_calls(answer_ids: Sequence[int]) -> dict[int, dict[int, Call]]:
    """The call of the highest attempt by answer and seat."""
    calls = Call.objects.filter(answer_id__in=answer_ids, role=Call.Role.MEMBER).select_related("reused_from")
    latest: dict[int, dict[int, Call]] = {}
    for call in calls.order_by("attempt"):
        latest.setdefault(call.answer_id, {})[call.seat] = call
    return latest


def _previous(answer: Answer, calls: dict[int, Call]) -> Previous:
    attempts = {
        seat: Attempt(call_id=call.pk, number=call.attempt, outcome=call.outcome) for seat, call in calls.items()
    }
    return Previous(
        answer_id=answer.pk,
        call_count=answer.call_count,
        scored=answer.correct is not None,
        attempts=attempts,
    )


def _fill_replay(plan: RunPlan, batch: Batch, wanted: Sequence[_Wanted]) -> LoadedBatch:
    outputs, output_ids = load_outputs(
        version_id=plan.version_id,
        positions=(batch.first_position, batch.last_position),
        model_ids=[model.pk for model in plan.models.values()],
    )
    loaded = LoadedBatch(pk=batch.pk, number=batch.number, replay=RecordedClient(outputs))

    def purchase(unit: _Wanted, seat: int, member: Member) -> Purchase:
        request = _request(unit, seat, member, model=member.model)
        output_id = output_ids.get((request.item_id, request.model))
        return Purchase(model=plan.models[member.model], request=request, output_id=output_id)

    return _furnish(loaded, wanted, purchase)


def _fill_live(plan: RunPlan, batch: Batch, wanted: Sequence[_Wanted]) -> LoadedBatch:
    loaded = LoadedBatch(pk=batch.pk, number=batch.number, replay=None)
    shared: dict[_Name, Purchase] = {}

    def purchase(unit: _Wanted, seat: int, member: Member) -> Purchase:
        kept = unit.kept.get(seat)
        if kept is not None:
            return _kept_purchase(plan, unit, seat, member, kept)
        made = _live_purchase(plan, unit, seat, member)
        # Without reuse only the arms of one example share; with it, examples of the same prompt do too.
        name = (made.key,) if plan.reuse else (made.key, unit.item.example_id)
        taken = shared.setdefault(name, made)
        taken.shared = taken.shared or taken is not made
        return taken

    _furnish(loaded, wanted, purchase)
    _take_held_replies(plan, loaded, (batch.first_position, batch.last_position))
    _reserve(loaded)
    return loaded


def _furnish(
    loaded: LoadedBatch, wanted: Sequence[_Wanted], purchase: Callable[[_Wanted, int, Member], Purchase]
) -> LoadedBatch:
    for unit in wanted:
        seats = tuple(purchase(unit, seat, member) for seat, member in enumerate(unit.arm.panel.members))
        loaded.units.append(Unit(batch=loaded, item=unit.item, arm=unit.arm, seats=seats, previous=unit.previous))
        example = loaded.examples.setdefault(unit.item.example_id, OpenExample(reserved_nanousd=0, units_left=0))
        example.units_left += 1
    loaded.units_left = len(loaded.units)
    return loaded


def _request(unit: _Wanted, seat: int, member: Member, *, model: str) -> ModelRequest:
    question = unit.item.scored.question
    return ModelRequest(
        model=model,
        messages=question.messages,
        sampling=member.sampling,
        item_id=question.item_id,
        twin=unit.arm.twins[seat],
    )


def _live_purchase(plan: RunPlan, unit: _Wanted, seat: int, member: Member) -> Purchase:
    model = plan.models[member.model]
    on_the_wire = _request(unit, seat, member, model=model.name)
    worst = None
    if model.price is not None:
        body_bytes = len(client_class(model.kind).wire.request_body(on_the_wire))
        worst = worst_case_cost(model.price, body_bytes=body_bytes, max_tokens=member.sampling.max_tokens)
    return Purchase(
        model=model,
        request=_request(unit, seat, member, model=member.model),
        key=reply_key(provider=model.provider, request=on_the_wire),
        worst_nanousd=worst,
    )


def _kept_purchase(plan: RunPlan, unit: _Wanted, seat: int, member: Member, call: Call) -> Purchase:
    return Purchase(
        model=plan.models[member.model],
        request=_request(unit, seat, member, model=member.model),
        key=call.reply_key,
        result=reply_of_call(call),
        call_id=call.pk,
        kept=True,
    )


def _take_held_replies(plan: RunPlan, loaded: LoadedBatch, positions: tuple[int, int]) -> None:
    """What this run has recorded is always taken: a worker may have died between two arms of an example."""
    seats = [(unit.item.example_id, seat) for unit in loaded.units for seat in unit.seats if seat.result is None]
    if plan.reuse:
        found = find_replies({seat.key for _, seat in seats})
        held = {(example_id, seat.key): found.get(seat.key) for example_id, seat in seats}
    else:
        held = dict(find_own_replies(answers=_answers(plan, positions)))
    for example_id, seat in seats:
        reply = held.get((example_id, seat.key))
        if reply is not None:
            seat.result, seat.call_id = reply.reply, reply.call_id


def _reserve(loaded: LoadedBatch) -> None:
    """Sets aside, for each example, the worst case of every reply that may have to be bought for it."""
    counted: set[tuple[int, int]] = set()
    for unit in loaded.units:
        example_id = unit.item.example_id
        for seat in unit.seats:
            if seat.result is None and (example_id, id(seat)) not in counted:
                counted.add((example_id, id(seat)))
                loaded.examples[example_id].reserved_nanousd += seat.worst_nanousd or 0
