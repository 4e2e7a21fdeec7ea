"""Where one answer came from: which data, under which panel version, went to whom, under which contract and price.

Plain values throughout, so that the page and the JSON say the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from evaluation.models import Answer, Call, Workflow
from evaluation.selectors.answers import question_of
from evaluation.selectors.attempts import source_of
from evaluation.selectors.masked_prompts import masked_prompt
from panels.fusion.arbitration_json import from_json
from panels.fusion.types import FailureKind
from panels.models import Contract, ModelPrice, PanelVersion
from panels.selectors.approvals import Approval, approvals_in_force
from panels.selectors.audit import audit_head

# Whose calls these failures are of got nothing.
_NEVER_SENT = frozenset({FailureKind.BREAKER_OPEN, FailureKind.CEILING, FailureKind.MASKING, FailureKind.NOT_RECORDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePanel:
    slug: str
    name: str
    number: int
    content_hash: str
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageData:
    """Whose data it was, and where it came from; of a live answer there is no run and no dataset."""

    workflow: str | None
    workflow_slug: str | None
    data_class: str
    run_id: int | None
    dataset: str | None
    item_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePrice:
    """The row that a cost was worked out with; nano-dollars per million tokens."""

    number: int
    in_nanousd_per_mtok: int | None
    out_nanousd_per_mtok: int | None
    source: str
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageContract:
    number: int
    regions: tuple[str, ...]
    has_dpa: str
    has_baa: str
    trains_on_data: str
    retention_days: int | None
    valid_from: date
    valid_until: date
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageCall:
    """One attempt. ``source`` is live, reused or recorded; a reused reply has the region and the contract of the call
    that bought it, ``reused_from`` is that one's answer.

    ``reported_model`` is as the provider said it; ``as_pinned`` None where no version is pinned, or none was said.
    """

    role: str
    stage: int
    seat: int
    attempt: int
    provider: str
    provider_slug: str
    provider_kind: str
    model: str
    model_id: int
    reported_model: str
    pinned_version: str
    as_pinned: bool | None
    served_by: str
    region: str
    region_allowed: bool | None
    outcome: str
    source: str
    reused_from: int | None
    request_hash: str
    response_id: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cost_nanousd: int | None
    spent_nanousd: int | None
    placeholders: int | None
    placeholders_lost: int | None
    price: LineagePrice | None
    contract: LineageContract | None

    @property
    def was_sent(self) -> bool:
        return self.source == "live" and self.outcome not in _NEVER_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageReceiver:
    """A provider that was sent the data now, how often, and where it said that it worked on it."""

    provider: str
    provider_slug: str
    calls: int
    regions: tuple[str, ...]
    strays: int
    contract: LineageContract | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageMasking:
    """What was masked before anything was sent, by kind, and the placeholders that came back for nothing."""

    fields: tuple[str, ...]
    places: dict[str, int]
    placeholders: int
    placeholders_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """``prompt_sha256`` is of the messages as they were sent, masked ones masked; None where that cannot be told any
    more. ``arbiter_prompt`` names the text that the arbiter was given, with its hash.
    """

    answer_id: int
    asked_at: datetime
    is_live: bool
    data: LineageData
    panel: LineagePanel
    prompt_sha256: str | None
    arbiter_prompt: str | None
    arbiter_prompt_sha256: str | None
    masking: LineageMasking | None
    receivers: tuple[LineageReceiver, ...]
    calls: tuple[LineageCall, ...]
    approvals: tuple[Approval, ...]
    audit_head: str


def lineage_of(answer: Answer) -> Lineage:
    """Six queries at most. ``answer`` comes from ``answers_with_lineage``."""
    rows = _rows(answer)
    calls = tuple(map(_call, rows))
    version = answer.panel_version
    name, sha256 = _arbiter_prompt(answer)
    return Lineage(
        answer_id=answer.pk,
        asked_at=answer.created_at,
        is_live=answer.run_id is None,
        data=_data(answer),
        panel=_panel(version),
        prompt_sha256=_prompt_hash(answer),
        arbiter_prompt=name,
        arbiter_prompt_sha256=sha256,
        masking=_masking(answer, rows),
        receivers=tuple(_receivers(calls)),
        calls=calls,
        approvals=approvals_in_force(version, at=answer.created_at),
        audit_head=str(audit_head()),
    )


def _rows(answer: Answer) -> list[Call]:
    related = ("model__provider", "price", "contract", "reused_from__contract")
    calls = Call.objects.filter(answer=answer).select_related(*related)
    # Members first, in panel order, then the arbiter.
    return list(calls.order_by("-role", "seat", "attempt"))


def _call(call: Call) -> LineageCall:
    bought, model = call.reused_from or call, call.model
    return LineageCall(
        role=call.role,
        stage=call.stage + 1,
        seat=call.seat + 1,
        attempt=call.attempt,
        provider=model.provider.name,
        provider_slug=model.provider.slug,
        provider_kind=model.provider.kind,
        model=model.name,
        model_id=model.pk,
        reported_model=call.provider_model,
        pinned_version=model.pinned_version,
        as_pinned=_as_pinned(call),
        served_by=call.served_by,
        region=call.region,
        region_allowed=bought.region_allowed,
        outcome=call.outcome,
        source=source_of(call),
        reused_from=None if call.reused_from is None else call.reused_from.answer_id,
        request_hash=bought.reply_key,
        response_id=call.response_id,
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        cached_tokens=call.cached_tokens,
        cost_nanousd=call.cost_nanousd,
        spent_nanousd=call.spent_nanousd,
        placeholders=call.placeholders,
        placeholders_lost=call.placeholders_lost,
        price=_price(call.price),
        contract=_contract(bought.contract),
    )


def _as_pinned(call: Call) -> bool | None:
    pinned = call.model.pinned_version
    return call.provider_model == pinned if pinned and call.provider_model else None


def _price(price: ModelPrice | None) -> LineagePrice | None:
    if price is None:
        return None
    return LineagePrice(
        number=price.pk,
        in_nanousd_per_mtok=price.in_nanousd_per_mtok,
        out_nanousd_per_mtok=price.out_nanousd_per_mtok,
        source=price.source,
        valid_from=price.valid_from,
    )


def _contract(contract: Contract | None) -> LineageContract | None:
    if contract is None:
        return None
    return LineageContract(
        number=contract.pk,
        regions=tuple(contract.regions),
        has_dpa=contract.has_dpa,
        has_baa=contract.has_baa,
        trains_on_data=contract.trains_on_data,
        retention_days=contract.retention_days,
        valid_from=contract.valid_from,
        valid_until=contract.valid_until,
        evidence=contract.evidence,
    )


def _receivers(calls: Iterable[LineageCall]) -> Iterable[LineageReceiver]:
    sent = sorted((call for call in calls if call.was_sent), key=_receiver_key)
    for _, own in groupby(sent, key=_receiver_key):
        group = list(own)
        yield LineageReceiver(
            provider=group[0].provider,
            provider_slug=group[0].provider_slug,
            calls=len(group),
            regions=tuple(sorted({call.region for call in group if call.region})),
            strays=sum(call.region_allowed is False for call in group),
            contract=group[0].contract,
        )


def _receiver_key(call: LineageCall) -> tuple[str, int]:
    return (call.provider_slug, 0 if call.contract is None else call.contract.number)


def _data(answer: Answer) -> LineageData:
    workflow = _workflow(answer)
    version = None if answer.run is None else answer.run.experiment.dataset_version
    return LineageData(
        workflow=None if workflow is None else workflow.name,
        workflow_slug=None if workflow is None else workflow.slug,
        data_class=Workflow.DataClass.INTERNAL.value if workflow is None else workflow.data_class,
        run_id=answer.run_id,
        dataset=None if version is None else f"{version.dataset.name} v{version.number}",
        item_id=None if answer.example is None else answer.example.item_id,
    )


def _workflow(answer: Answer) -> Workflow | None:
    if answer.run is None:
        return answer.live_request.workflow
    experiment = answer.run.experiment
    return experiment.workflow or experiment.dataset_version.dataset.workflow


def _panel(version: PanelVersion) -> LineagePanel:
    return LineagePanel(
        slug=version.panel.slug,
        name=version.panel.name,
        number=version.number,
        content_hash=version.content_hash,
        strategy=version.strategy,
    )


def _prompt_hash(answer: Answer) -> str | None:
    question = question_of(answer)
    masked = masked_prompt(answer, question, calls=(), members=())
    sent = question if masked is None else masked.sent
    if sent is None:
        return None
    said = [[message.role, message.content] for message in sent.messages]
    return hashlib.sha256(json.dumps(said, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def _arbiter_prompt(answer: Answer) -> tuple[str | None, str | None]:
    prompt = None if answer.analysis is None else from_json(answer.analysis).prompt
    return (None, None) if prompt is None else (prompt.name, prompt.sha256)


def _masking(answer: Answer, calls: Iterable[Call]) -> LineageMasking | None:
    if answer.run is None:
        asked = answer.live_request
        lost = sum(count["altered"] + count["invented"] for count in asked.integrity.values())
        kept = sum(count["restored"] + count["repaired"] for count in asked.integrity.values())
        note = {"fields": [], "places": asked.masks} if asked.masked else None
    else:
        note = answer.masking
        lost = sum(call.placeholders_lost or 0 for call in calls)
        kept = sum(call.placeholders or 0 for call in calls) - lost
    if note is None:
        return None
    return LineageMasking(
        fields=tuple(note["fields"]),
        places=dict(sorted(note["places"].items())),
        placeholders=kept + lost,
        placeholders_lost=lost,
    )
