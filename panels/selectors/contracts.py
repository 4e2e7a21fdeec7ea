"""How the contract with a provider stands today, and the records it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import dateformat

from panels.gate import is_in_force
from panels.models import Contract, Provider

SOON_DAYS = 30
RECORDS_SHOWN = 100
CONTRACT_COLUMNS = (
    "provider",
    "state",
    "has_dpa",
    "has_baa",
    "trains_on_data",
    "regions",
    "retention_days",
    "valid_from",
    "valid_until",
    "evidence",
    "checked_on",
    "owner",
    "recorded_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``state`` is a shape of the pages (pass, risk, fail, none), ``word`` says the same; ``is_open``: data may go."""

    state: str
    word: str
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRow:
    contract: Contract
    standing: Standing
    speaks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractHistory:
    """All records of one provider, the one that began last first, at most RECORDS_SHOWN of ``count``."""

    standing: Standing
    speaking: Contract | None
    rows: tuple[ContractRow, ...]
    count: int


NO_CONTRACT = Standing(state="fail", word="No contract")
NOT_NEEDED = Standing(state="none", word="Reaches nobody")


def written_day(day: date) -> str:
    return dateformat.format(day, "j M Y")


def standing_until(valid_until: date | None, *, today: date) -> Standing:
    """How a contract that has begun stands on its last day's word; None is no contract."""
    if valid_until is None:
        return NO_CONTRACT
    left = (valid_until - today).days
    if left < 0:
        return Standing(state="fail", word=f"Ended {written_day(valid_until)}")
    if left == 0:
        return Standing(state="risk", word="Ends today", is_open=True)
    if left <= SOON_DAYS:
        return Standing(state="risk", word=f"Ends in {left} day{'s' if left > 1 else ''}", is_open=True)
    return Standing(state="pass", word=f"Until {written_day(valid_until)}", is_open=True)


def provider_standing(provider: Provider, valid_until: date | None, *, today: date) -> Standing:
    if provider.kind == Provider.Kind.RECORDED:
        return NOT_NEEDED
    return standing_until(valid_until, today=today)


def contract_history(provider: Provider, *, today: date) -> ContractHistory:
    """Two queries."""
    records = provider.contracts.order_by("-valid_from", "-pk")
    shown = list(records[:RECORDS_SHOWN])
    speaking = next((contract for contract in shown if contract.valid_from <= today), None)
    until = None if speaking is None else speaking.valid_until
    return ContractHistory(
        standing=provider_standing(provider, until, today=today),
        speaking=speaking,
        rows=tuple(_row(contract, speaking, today) for contract in shown),
        count=records.count() if len(shown) == RECORDS_SHOWN else len(shown),
    )


def exported_contracts(provider: Provider, *, today: date) -> Iterator[dict[str, Any]]:
    """One row a record under CONTRACT_COLUMNS."""
    return (_export_row(row, provider) for row in contract_history(provider, today=today).rows)


def _row(contract: Contract, speaking: Contract | None, today: date) -> ContractRow:
    return ContractRow(
        contract=contract, standing=_record_standing(contract, speaking, today), speaks=contract == speaking
    )


def _record_standing(contract: Contract, speaking: Contract | None, today: date) -> Standing:
    if contract.valid_from > today:
        return Standing(state="none", word=f"Begins {written_day(contract.valid_from)}")
    if contract != speaking and is_in_force(contract, today):
        return Standing(state="none", word="Replaced by a later record")
    return standing_until(contract.valid_until, today=today)


def _export_row(row: ContractRow, provider: Provider) -> dict[str, Any]:
    contract = row.contract
    return {
        "provider": provider.slug,
        "state": row.standing.word,
        "has_dpa": contract.has_dpa,
        "has_baa": contract.has_baa,
        "trains_on_data": contract.trains_on_data,
        "regions": " ".join(contract.regions),
        "retention_days": contract.retention_days,
        "valid_from": contract.valid_from.isoformat(),
        "valid_until": contract.valid_until.isoformat(),
        "evidence": contract.evidence,
        "checked_on": contract.checked_on.isoformat(),
        "owner": contract.owner,
        "recorded_at": contract.created_at.isoformat(),
    }
