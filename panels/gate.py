"""Whether data may go to the models of a panel: the data's policy against each provider's contract and model's terms.

It takes plain values, so that whoever knows the workflow is above it. What is unknown counts as no. A provider of
recorded outputs reaches nobody and passes no gate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.utils import timezone

from panels.fusion.regions import is_covered
from panels.models import Contract, DataClass, LanguageModel, PanelVersion, Provider, SeatRole, YesNoUnknown

Roles = Mapping[int, Collection[str]]
_Status = LanguageModel.Status


class Purpose(StrEnum):
    """What becomes of the outputs: they are measured, or somebody gets to use them."""

    EVALUATION = "evaluation"
    PRODUCT = "product"


class Rule(StrEnum):
    """What a member can fail."""

    STATUS = "status"
    ROLE = "role"
    DATA_CLASS = "data class"
    LICENCE = "licence"
    OUTPUT = "output terms"
    CONTRACT = "contract"
    DPA = "DPA"
    BAA = "BAA"
    REGION = "region"
    RETENTION = "retention"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPolicy:
    """What the data asks of whoever gets it. No ``regions``: any will do; no ``max_retention_days``: any time will."""

    data_class: str
    regions: tuple[str, ...] = ()
    max_retention_days: int | None = None
    forbids_training: bool = True
    purpose: Purpose = Purpose.EVALUATION


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """One rule that one model fails, with the names of both and, in words, why."""

    model: str
    provider: str
    rule: str
    why: str

    def __str__(self) -> str:
        return f"{self.model} ({self.provider}) fails the rule on {self.rule}: {self.why}"


class GateClosed(Exception):
    """Data may not go to a member. The message names every member and every rule that it fails."""

    def __init__(self, findings: Sequence[GateFinding]) -> None:
        self.findings = tuple(findings)
        super().__init__("Nothing was sent. " + ". ".join(map(str, findings)) + ".")


def require_gate(*, policy: DataPolicy, models: Iterable[LanguageModel], roles: Roles, today: date) -> None:
    """Raises GateClosed with everything that ``gate_findings`` finds."""
    findings = gate_findings(policy=policy, models=models, roles=roles, today=today)
    if findings:
        raise GateClosed(findings)


def gate_findings(
    *, policy: DataPolicy, models: Iterable[LanguageModel], roles: Roles, today: date
) -> tuple[GateFinding, ...]:
    """What keeps the data from these models, nothing if it may go. One query.

    ``roles`` says by primary key what each model is asked as. Needs ``model.provider`` loaded.
    """
    asked = {model.pk: model for model in models if model.provider.kind != Provider.Kind.RECORDED}
    contracts = speaking_contracts({model.provider_id for model in asked.values()}, today=today)
    return tuple(
        GateFinding(model=model.name, provider=model.provider.name, rule=rule, why=why)
        for model in asked.values()
        for rule, why in (
            *_model_problems(policy, model, roles.get(model.pk, ())),
            *_contract_problems(policy, contracts.get(model.provider_id), today),
        )
    )


def version_seats(version: PanelVersion) -> tuple[list[LanguageModel], dict[int, set[str]]]:
    """The models that a panel version may ask, and as what. Reads its members and arbiter with their providers."""
    models: dict[int, LanguageModel] = {}
    roles: dict[int, set[str]] = {}
    for seat in version.members.all():
        models[seat.model_id] = seat.model
        roles.setdefault(seat.model_id, set()).add(SeatRole.MEMBER)
    if version.arbiter_model is not None:
        models[version.arbiter_model.pk] = version.arbiter_model
        roles.setdefault(version.arbiter_model.pk, set()).add(SeatRole.ARBITER)
    return list(models.values()), roles


def speaking_contracts(providers: Collection[int], *, today: date) -> dict[int, Contract]:
    """For each provider the row that began last, in force or over, by the provider's primary key."""
    begun = Contract.objects.filter(provider__in=providers, valid_from__lte=today).order_by("valid_from", "pk")
    return {contract.provider_id: contract for contract in begun}


def is_in_force(contract: Contract, today: date) -> bool:
    """Both its days are included."""
    return contract.valid_from <= today <= contract.valid_until


def contract_day(now: datetime) -> date:
    """The day by which contracts are judged: that of the service's time zone."""
    return timezone.localdate(now)


def _model_problems(policy: DataPolicy, model: LanguageModel, roles: Collection[str]) -> Iterator[tuple[Rule, str]]:
    yield from _status_problems(policy, model)
    for role in sorted(set(roles) - set(model.allowed_roles)):
        yield Rule.ROLE, f"it is not allowed as {_with_article(role)}"
    if policy.data_class not in model.allowed_data_classes:
        yield Rule.DATA_CLASS, f"it is not allowed for {policy.data_class} data"
    if not model.licence.strip():
        yield Rule.LICENCE, "its licence is unknown"
    yield from _output_problems(policy, model)


def _status_problems(policy: DataPolicy, model: LanguageModel) -> Iterator[tuple[Rule, str]]:
    usable = {_Status.APPROVED, _Status.RESTRICTED}
    if model.status in usable or (model.status == _Status.TRIAL and policy.purpose is Purpose.EVALUATION):
        return
    why = "only approved models answer live" if model.status == _Status.TRIAL else "nobody has let it be used"
    yield Rule.STATUS, "it is retired" if model.status == _Status.RETIRED else f"it is {_status_word(model)}; {why}"


def _status_word(model: LanguageModel) -> str:
    return _Status(model.status).label.lower()


def _output_problems(policy: DataPolicy, model: LanguageModel) -> Iterator[tuple[Rule, str]]:
    if model.output_use == LanguageModel.OutputUse.UNKNOWN:
        yield Rule.OUTPUT, "what its outputs may be used for is unknown"
    elif policy.purpose is Purpose.PRODUCT and model.output_use != LanguageModel.OutputUse.PRODUCT:
        yield Rule.OUTPUT, "its outputs may be used for evaluation alone"


def _contract_problems(policy: DataPolicy, contract: Contract | None, today: date) -> Iterator[tuple[Rule, str]]:
    if contract is None:
        yield Rule.CONTRACT, "no contract is recorded that has begun"
    elif not is_in_force(contract, today):
        yield Rule.CONTRACT, f"its contract ended on {contract.valid_until}"
    else:
        yield from _agreement_problems(policy, contract)
        yield from _region_problems(policy, contract)
        yield from _retention_problems(policy, contract)
        if policy.forbids_training and contract.trains_on_data != YesNoUnknown.NO:
            trains = contract.trains_on_data == YesNoUnknown.YES
            yield Rule.TRAINING, "it trains on what it is sent" if trains else "whether it trains on data is unknown"


def _agreement_problems(policy: DataPolicy, contract: Contract) -> Iterator[tuple[Rule, str]]:
    if policy.data_class == DataClass.PERSONAL and contract.has_dpa != YesNoUnknown.YES:
        yield Rule.DPA, f"personal data needs a DPA, and {_lacking(contract.has_dpa)}"
    if policy.data_class == DataClass.HEALTH and contract.has_baa != YesNoUnknown.YES:
        yield Rule.BAA, f"health data needs a BAA, and {_lacking(contract.has_baa)}"


def _region_problems(policy: DataPolicy, contract: Contract) -> Iterator[tuple[Rule, str]]:
    outside = [region for region in contract.regions if not is_covered(region, policy.regions)]
    if policy.regions and not contract.regions:
        yield Rule.REGION, "its contract names no region"
    elif policy.regions and outside:
        wanted = ", ".join(policy.regions)
        yield Rule.REGION, f"its contract allows {', '.join(outside)}, and the data must stay in {wanted}"


def _retention_problems(policy: DataPolicy, contract: Contract) -> Iterator[tuple[Rule, str]]:
    if policy.max_retention_days is None:
        return
    if contract.retention_days is None:
        yield Rule.RETENTION, "how long it keeps data is unknown"
    elif contract.retention_days > policy.max_retention_days:
        days, most = contract.retention_days, policy.max_retention_days
        yield Rule.RETENTION, f"it keeps data for {days} days, and {most} are allowed"


def _lacking(said: str) -> str:
    return "whether there is one is unknown" if said == YesNoUnknown.UNKNOWN else "there is none"


def _with_article(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
