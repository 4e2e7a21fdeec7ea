"""Replies that need not be asked for: bought before, or imported with the dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import QuerySet

from evaluation.models import Answer, Call, RecordedOutput
from panels.fusion.types import Recorded, Reply, Usage
from panels.specs import inventory_key

_KEYS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReply:
    """A reply together with the call that holds its text."""

    call_id: int
    reply: Reply


def find_replies(keys: Iterable[str]) -> dict[str, HeldReply]:
    """The oldest reply recorded under each key in any run, where there is one."""
    wanted = sorted(set(keys))
    found: dict[str, HeldReply] = {}
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        for call in _bought_calls().filter(reply_key__in=wanted[start : start + _KEYS_PER_QUERY]):
            found.setdefault(call.reply_key, HeldReply(call_id=call.pk, reply=reply_of_call(call)))
    return found


def fresh_reply(key: str, *, now: datetime, max_age: timedelta) -> HeldReply | None:
    """The newest reply under a key that is at most that old, with its age."""
    call = _bought_calls().filter(reply_key=key, created_at__gt=now - max_age).order_by("-pk").first()
    if call is None:
        return None
    age_s = (now - call.created_at).total_seconds()
    return HeldReply(call_id=call.pk, reply=replace(reply_of_call(call), age_s=max(0.0, age_s)))


def find_own_replies(
    *, answers: QuerySet[Answer], keys: Collection[str] | None = None
) -> dict[tuple[int, str], HeldReply]:
    """Replies that were bought for these answers, by example and reply key; ``keys`` leaves out all others."""
    examples = dict(answers.filter(example__isnull=False).values_list("pk", "example_id"))
    found: dict[tuple[int, str], HeldReply] = {}
    bought = _bought_calls().filter(answer__in=list(examples))
    for call in bought if keys is None else bought.filter(reply_key__in=list(keys)):
        address = (examples[call.answer_id], call.reply_key)
        found.setdefault(address, HeldReply(call_id=call.pk, reply=reply_of_call(call)))
    return found


def find_arbitrations(
    *, run_id: int, reuse: bool, wanted: Collection[tuple[int, str]]
) -> dict[tuple[int, str], HeldReply]:
    """Replies of arbiters by example and reply key: of any run where ``reuse``, else what this run has bought."""
    if reuse:
        held = find_replies(key for _, key in wanted)
        return {(example_id, key): held[key] for example_id, key in wanted if key in held}
    examples = {example_id for example_id, _ in wanted}
    keys = {key for _, key in wanted}
    return find_own_replies(answers=Answer.objects.filter(run=run_id, example__in=examples), keys=keys)


def reply_of_call(call: Call) -> Reply:
    """The reply that a call brought; of a reused one, with the text and numbers of the call that bought it."""
    source = call.reused_from or call
    return Reply(
        text=source.text,
        usage=Usage(
            prompt_tokens=source.prompt_tokens,
            completion_tokens=source.completion_tokens,
            cached_tokens=source.cached_tokens,
            reasoning_tokens=source.reasoning_tokens,
            reported_cost_nanousd=source.reported_cost_nanousd,
        ),
        latency_s=source.latency_s,
        first_token_s=source.first_token_s,
        finish_reason=source.finish_reason,
        provider_model=source.provider_model,
        response_id=source.response_id,
        region=source.region,
        served_by=source.served_by,
    )


def load_outputs(
    *, version_id: int, positions: tuple[int, int], model_ids: Sequence[int]
) -> tuple[dict[tuple[str, str], Reply], dict[tuple[str, str], int]]:
    """Recorded outputs of a range of examples: replies, and primary keys, both by (item id, inventory key)."""
    rows = RecordedOutput.objects.filter(
        example__version_id=version_id, example__position__range=positions, model_id__in=model_ids
    ).values_list(
        "pk", "example__item_id", "model_id", "text", "has_predicted", "predicted", "correct",
        "prompt_tokens", "completion_tokens", "latency_s",
    )  # fmt: skip
    replies: dict[tuple[str, str], Reply] = {}
    output_ids: dict[tuple[str, str], int] = {}
    for pk, item_id, model_id, text, has_predicted, predicted, correct, prompt, completion, latency_s in rows:
        address = (item_id, inventory_key(model_id))
        output_ids[address] = pk
        replies[address] = Reply(
            text=text,
            usage=Usage(prompt_tokens=prompt, completion_tokens=completion),
            latency_s=latency_s,
            recorded=Recorded(predicted=predicted, has_predicted=has_predicted, correct=correct),
        )
    return replies, output_ids


def _bought_calls() -> QuerySet[Call]:
    # Only the call that bought a reply carries its key. The exclusion is the condition of the index on it.
    return Call.objects.exclude(reply_key="").filter(outcome=Call.OK).order_by("pk")
