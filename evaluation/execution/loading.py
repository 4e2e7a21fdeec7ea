"""From a row that names a range of examples to everything a worker needs to answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from django.db.models import QuerySet

from evaluation.covers import cover_example, masking_note, unasked
from evaluation.execution.plan import PlannedArm, RunPlan
from evaluation.execution.replies import find_own_replies, find_replies, load_outputs, reply_of_call
from evaluation.execution.units import Attempt, Item, LoadedBatch, OpenExample, Previous, Purchase, Unit
from evaluation.execution.worst_cases import ARBITER_QUESTIONS, arbiter_worst_nanousd
from evaluation.models import Answer, Batch, Call, Example
from evaluation.scorers import ScoredExample
from fusion_site.lib.derived_secrets import derived_secret
from panels.fusion.clients.recorded import RecordedClient
from panels.fusion.pricing import worst_case_cost
from panels.fusion.privacy.cover import Masking
from panels.fusion.replies import NOT_MASKED, reply_key
from panels.fusion.types import Failure, Member, ModelRequest, Question, Reply
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
    fields = ("pk", "position", "item_id", "prompt", "reference", "references", "choices", "schema")
    wanted = (*fields, "context") if plan.needs_evidence else fields
    wanted = wanted if plan.masked_fields is None else (*wanted, "meta")
    return [_item(plan, example) for example in rows.only(*wanted)]


def _item(plan: RunPlan, example: Example) -> Item:
    question = Question(
        item_id=example.item_id,
        messages=example.messages,
        kind=plan.kind,
        choices=tuple(example.choices),
        tolerance=plan.tolerance,
        evidence=example.context if plan.needs_evidence else "",
        schema=example.schema,
    )
    scored = ScoredExample(question=question, reference=example.reference, references=tuple(example.references))
    if plan.masked_fields is not None:
        return _masked_item(example, scored, plan.masked_fields)
    return Item(example_id=example.pk, position=example.position, scored=scored)


def _masked_item(example: Example, scored: ScoredExample, fields: Sequence[str]) -> Item:
    covered = cover_example(scored, meta=example.meta, fields=fields)
    if isinstance(covered, Failure):
        return Item(
            example_id=example.pk,
            position=example.position,
            scored=unasked(scored),
            masking=masking_note(fields, None),
            blocked=covered,
        )
    return Item(
        example_id=example.pk,
        position=example.position,
        scored=covered.scored,
        cover=covered.cover,
        masking=masking_note(fields, covered.cover),
    )


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
    by_example: dict[int | None, Item] = {item.example_id: item for item in items}
    arms: dict[int | None, PlannedArm] = {arm.pk: arm for arm in plan.arms}
    calls = _member_calls([answer.pk for answer in answers])
    return [
        _Wanted(
            item=by_example[answer.example_id],
            arm=arms[answer.arm_id],
            previous=_previous(plan, answer, calls.get(answer.pk, {})),
            kept={seat: own[-1] for seat, own in calls.get(answer.pk, {}).items() if own[-1].is_ok},
        )
        for answer in answers
    ]


def _member_calls(answer_ids: Sequence[int]) -> dict[int, dict[int, list[Call]]]:
    """The members' attempts by answer and seat, oldest first."""
    calls = Call.objects.filter(answer_id__in=answer_ids, role=Call.Role.MEMBER).select_related("reused_from")
    found: dict[int, dict[int, list[Call]]] = {}
    for call in calls.order_by("attempt"):
        found.setdefault(call.answer_id, {}).setdefault(call.seat, []).append(call)
    return found


def _previous(plan: RunPlan, answer: Answer, calls: dict[int, list[Call]]) -> Previous:
    attempts = {
        seat: Attempt(call_id=own[-1].pk, number=own[-1].attempt, failed_kinds=_failed_kinds(plan, own))
        for seat, own in calls.items()
    }
    return Previous(
        answer_id=answer.pk,
        call_count=answer.call_count,
        scored=answer.correct is not None,
        attempts=attempts,
    )


def _failed_kinds(plan: RunPlan, calls: Sequence[Call]) -> tuple[str, ...]:
    """How the last call failed, attempt by attempt; nothing if it brought a reply.

    An attempt that was followed by another of the same call has neither a key nor a source.
    """
    last = calls[-1]
    if last.is_ok:
        return ()
    before = () if plan.replays else takewhile(_was_tried_again, reversed(calls[:-1]))
    return (last.outcome, *(call.outcome for call in before))


def _was_tried_again(call: Call) -> bool:
    return not call.reply_key and call.reused_from_id is None


def _fill_replay(plan: RunPlan, batch: Batch, wanted: Sequence[_Wanted]) -> LoadedBatch:
    outputs, output_ids = load_outputs(
        version_id=plan.version_id,
        positions=(batch.first_position, batch.last_position),
        model_ids=[model.pk for model in plan.models.values()],
    )
    loaded = LoadedBatch(pk=batch.pk, number=batch.number, replay=RecordedClient(outputs))

    def purchase(unit: _Wanted, seat: int, member: Member) -> Purchase:
        if unit.item.blocked is not None:
            return _blocked_purchase(plan, unit, seat, member, unit.item.blocked)
        request = _request(unit, seat, member, model=member.model)
        output_id = output_ids.get((request.item_id, request.model))
        return Purchase(model=plan.models[member.model], request=request, output_id=output_id)

    _furnish(loaded, wanted, purchase)
    _reserve_arbiters(plan, loaded)
    return loaded


def _fill_live(plan: RunPlan, batch: Batch, wanted: Sequence[_Wanted]) -> LoadedBatch:
    loaded = LoadedBatch(pk=batch.pk, number=batch.number, replay=None)
    shared: dict[_Name, Purchase] = {}

    def purchase(unit: _Wanted, seat: int, member: Member) -> Purchase:
        if unit.item.blocked is not None:
            return _blocked_purchase(plan, unit, seat, member, unit.item.blocked)
        made = _live_purchase(plan, unit, seat, member)
        kept = unit.kept.get(seat)
        if kept is not None and _still_holds(kept, made, unit, member):
            return _kept_purchase(plan, unit, seat, member, kept)
        # Without reuse only the arms of one example share; with it, examples of the same prompt do too. What an
        # in-house member brings up itself has a placeholder in its own example alone.
        everywhere = plan.reuse and not made.in_house
        name = (made.key,) if everywhere else (made.key, unit.item.example_id)
        taken = shared.setdefault(name, made)
        taken.shared = taken.shared or taken is not made
        return taken

    _furnish(loaded, wanted, purchase)
    _take_held_replies(plan, loaded, (batch.first_position, batch.last_position))
    _reserve(loaded)
    _reserve_arbiters(plan, loaded)
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
    model, cover = plan.models[member.model], unit.item.cover
    keyed = _request(unit, seat, member, model=model.name)
    on_the_wire = keyed if cover is None else replace(keyed, messages=cover.view(unit.item.scored.question, member))
    worst = None
    if model.price is not None:
        body_bytes = len(client_class(model.kind).wire.request_body(on_the_wire))
        worst = worst_case_cost(model.price, body_bytes=body_bytes, max_tokens=member.sampling.max_tokens)
    return Purchase(
        model=model,
        request=replace(on_the_wire, model=member.model),
        key=reply_key(provider=model.provider, request=keyed, masking=_masking(unit, member)),
        worst_nanousd=worst,
        cover=cover,
        in_house=cover is not None and member.in_house,
    )


def _masking(unit: _Wanted, member: Member) -> Masking:
    cover = unit.item.cover
    if cover is None:
        return NOT_MASKED
    return cover.masking(member, derived_secret("in-house replies") if member.in_house else b"")


def _blocked_purchase(plan: RunPlan, unit: _Wanted, seat: int, member: Member, blocked: Failure) -> Purchase:
    """Nothing of the example is in it; its key tells the call from an attempt that another one followed."""
    request = _request(unit, seat, member, model=member.model)
    model = plan.models[member.model]
    return Purchase(
        model=model, request=request, key=reply_key(provider=model.provider, request=request), result=blocked
    )


def _still_holds(kept: Call, made: Purchase, unit: _Wanted, member: Member) -> bool:
    """Whether an earlier reply was asked for under the masking that applies now."""
    source = kept.reused_from or kept
    if unit.item.cover is None and kept.placeholders is None:
        return True
    return source.reply_key == made.key and _may_reuse(unit.item, reply_of_call(kept), member)


def _may_reuse(item: Item, reply: Reply, member: Member) -> bool:
    return item.cover is None or item.cover.can_reuse(reply, member)


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
    seats = [
        (unit.item, seat, member)
        for unit in loaded.units
        for seat, member in zip(unit.seats, unit.arm.panel.members, strict=True)
        if seat.result is None
    ]
    if plan.reuse:
        found = find_replies({seat.key for _, seat, _ in seats})
        held = {(item.example_id, seat.key): found.get(seat.key) for item, seat, _ in seats}
    else:
        held = dict(find_own_replies(answers=_answers(plan, positions)))
    for item, seat, member in seats:
        reply = held.get((item.example_id, seat.key))
        if reply is not None and _may_reuse(item, reply.reply, member):
            seat.result, seat.call_id = reply.reply, reply.call_id


def _reserve(loaded: LoadedBatch) -> None:
    """Sets aside, for each example, the worst case of every reply that may have to be bought for it.

    Once for each: an attempt after which a call is tried again costs nothing (``panels.fusion.retry``).
    """
    counted: set[tuple[int, int]] = set()
    for unit in loaded.units:
        example_id = unit.item.example_id
        for seat in unit.seats:
            if seat.result is None and (example_id, id(seat)) not in counted:
                counted.add((example_id, id(seat)))
                loaded.examples[example_id].reserved_nanousd += seat.worst_nanousd or 0


def _reserve_arbiters(plan: RunPlan, loaded: LoadedBatch) -> None:
    """Sets aside all that the arbiter of each answer may cost; whether arms can share it is only known later."""
    for unit in loaded.units:
        if unit.item.blocked is not None:
            continue
        unit.arbiter_nanousd = arbiter_worst_nanousd(unit.arm, unit.item.scored.question, plan.models) or 0
        loaded.examples[unit.item.example_id].reserved_nanousd += ARBITER_QUESTIONS * unit.arbiter_nanousd
