"""The two sides of a change request as plain values, what they amount to, and what is signed of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from panels.change_rules import Envelope, Side, Vote, envelope_of, hash_of, risk_tier, signed_content
from panels.gate import DataPolicy, Purpose, contract_day, speaking_contracts
from panels.models import ChangeDecision, ChangeRequest, PanelApplication, PanelVersion
from panels.selectors.applications import approved_baseline, current_application
from panels.selectors.panels import models_of, with_members
from panels.specs import content_hash, spec_of


def tier_of(request: ChangeRequest, *, now: datetime) -> ChangeRequest.Tier:
    """The risk of the change as things are now: what is applied, and where its providers may process data."""
    today = contract_day(now)
    applied = current_application(request.panel)
    base = None if applied is None else _side_in_force(applied, today=today)
    candidate = _side(request.candidate_id, request.policy, envelope_of(request.envelope), today=today)
    return risk_tier(base, candidate, falls_back=_falls_back(request))


def sign(request: ChangeRequest) -> str:
    """What an approval of the request, as it is, signs."""
    base = None if request.base is None else request.base.content_hash
    content = signed_content(
        request=request,
        candidate_hash=request.candidate.content_hash,
        base_hash=base,
        evidence_hash=request.evidence_hash,
    )
    return hash_of(content)


def is_as_signed(request: ChangeRequest) -> bool:
    """Whether version, evidence and request still are what their hashes say."""
    candidate = with_members(PanelVersion.objects.filter(pk=request.candidate_id)).get()
    return (
        content_hash(spec_of(candidate)) == request.candidate.content_hash
        and hash_of(request.evidence) == request.evidence_hash
        and sign(request) == request.signed_hash
    )


def votes_of(request: ChangeRequest) -> list[Vote]:
    """The decisions that count: those on the request as it is."""
    rows = ChangeDecision.objects.filter(request=request, signed_hash=request.signed_hash).order_by("pk")
    return [Vote(verdict=row.verdict, as_compliance=row.as_compliance) for row in rows]


def data_policy(stored: Mapping[str, Any]) -> DataPolicy:
    """What a request says of the data, for the gate. A live panel's outputs reach somebody."""
    return DataPolicy(
        data_class=stored["data_class"],
        regions=tuple(stored.get("regions", ())),
        max_retention_days=stored.get("max_retention_days"),
        forbids_training=stored.get("forbids_training", True),
        purpose=Purpose.PRODUCT,
    )


def policy_json(policy: DataPolicy) -> dict[str, Any]:
    return {
        "data_class": policy.data_class,
        "regions": list(policy.regions),
        "max_retention_days": policy.max_retention_days,
        "forbids_training": policy.forbids_training,
    }


def hands_of(request: ChangeRequest) -> set[int]:
    """Whose work the request is: who made the version, wrote the request or edited it."""
    hands = set(request.contributors.values_list("person_id", flat=True)) | {request.created_by_id}
    return hands | ({request.candidate.created_by_id} if request.candidate.created_by_id else set())


def _side_in_force(applied: PanelApplication, *, today: date) -> Side:
    """The applied version under the policy and envelope of the request that people approved for it."""
    request = applied.request
    return _side(applied.version_id, request.policy, envelope_of(request.envelope), today=today)


def _side(version_id: int, policy: Mapping[str, Any], envelope: Envelope, *, today: date) -> Side:
    version = with_members(PanelVersion.objects.filter(pk=version_id)).get()
    providers = {model.provider_id: model.provider.slug for model in models_of(version).values()}
    contracts = speaking_contracts(providers, today=today)
    regions = {region for contract in contracts.values() for region in contract.regions}
    return Side(
        spec=spec_of(version),
        providers=frozenset(providers.values()),
        regions=frozenset(regions),
        policy=policy,
        envelope=envelope,
    )


def _falls_back(request: ChangeRequest) -> bool:
    baseline = approved_baseline(request.panel) if request.is_rollback else None
    return baseline is not None and baseline.pk == request.candidate_id
