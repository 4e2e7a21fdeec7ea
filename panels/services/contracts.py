from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import transaction

from panels.fusion.regions import region_code
from panels.gate import contract_day
from panels.models import Contract, Provider, YesNoUnknown
from panels.policies import require_contractable
from panels.services.audit import record_audit

Problems = tuple[tuple[str, str], ...]

_MOST_DAYS = 36_500
_TRI_STATES = ("has_dpa", "has_baa", "trains_on_data")


class InvalidContract(Exception):
    """A record that cannot be saved. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """What somebody read in the agreement with a provider. ``retention_days`` None is unknown."""

    has_dpa: str
    has_baa: str
    trains_on_data: str
    regions: Sequence[str]
    retention_days: int | None
    valid_from: date
    valid_until: date
    evidence: str
    checked_on: date
    owner: str


@transaction.atomic
def record_contract(*, provider: Provider, terms: ContractTerms, by: User | None, now: datetime) -> Contract:
    """A further record; those before it stay as they are. Raises InvalidContract, and WrongState for a recorded
    provider, whom nothing is sent to.
    """
    require_contractable(provider)
    problems = tuple(_problems(terms, today=contract_day(now)))
    if problems:
        raise InvalidContract(problems)
    contract = Contract.objects.create(
        provider=provider,
        has_dpa=terms.has_dpa,
        has_baa=terms.has_baa,
        trains_on_data=terms.trains_on_data,
        regions=_codes(terms.regions),
        retention_days=terms.retention_days,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        evidence=terms.evidence,
        checked_on=terms.checked_on,
        owner=terms.owner.strip(),
        created_at=now,
    )
    subject, detail = f"provider:{provider.slug}", contract_content(contract)
    record_audit(action="contract.recorded", actor=by, subject=subject, label=provider.name, detail=detail, now=now)
    return contract


def contract_content(contract: Contract) -> dict[str, object]:
    """The record as plain values, for exports and the audit chain. Who answers for it is a role, no person."""
    return {
        "has_dpa": contract.has_dpa,
        "has_baa": contract.has_baa,
        "trains_on_data": contract.trains_on_data,
        "regions": list(contract.regions),
        "retention_days": contract.retention_days,
        "valid_from": contract.valid_from.isoformat(),
        "valid_until": contract.valid_until.isoformat(),
        "evidence": contract.evidence,
        "checked_on": contract.checked_on.isoformat(),
        "owner": contract.owner,
    }


def _codes(regions: Sequence[str]) -> list[str]:
    return sorted({region_code(region) for region in regions})


def _problems(terms: ContractTerms, *, today: date) -> Iterator[tuple[str, str]]:
    for field in _TRI_STATES:
        if getattr(terms, field) not in YesNoUnknown.values:
            yield field, "Choose yes, no or unknown."
    if not all(_codes(terms.regions)):
        yield "regions", "Write each region as a code, for example eu or us-east-1, with commas between."
    if terms.retention_days is not None and not 0 <= terms.retention_days <= _MOST_DAYS:
        yield "retention_days", f"The time must be a number of days from 0 to {_MOST_DAYS:,}, or left empty if unknown."
    if terms.valid_until < terms.valid_from:
        yield "valid_until", "The last day must not be before the first."
    yield from _proof_problems(terms, today=today)


def _proof_problems(terms: ContractTerms, *, today: date) -> Iterator[tuple[str, str]]:
    if not _is_link(terms.evidence):
        yield "evidence", "Give the full address of where the agreement can be read, beginning with https://."
    if terms.checked_on > today:
        yield "checked_on", "The agreement cannot have been checked after today."
    if not terms.owner.strip():
        yield "owner", "Name the role or team that answers for it."


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
