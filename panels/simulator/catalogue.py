"""The simulated models. All names are invented; all figures are planted, so that a measurement can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

GENERAL = "general"


class Fault(StrEnum):
    """What a provider does instead of answering."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    HANG = "hang"
    HTML_PAGE = "html_page"
    ERROR_BODY = "error_body"
    MALFORMED = "malformed"
    EMPTY = "empty"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedModel:
    """One model: what it charges, how often it is right, how its errors go together with others', how fast it is.

    Prices are dollars per million tokens, in steps of a tenth of a cent. ``skill`` is the probability of being right
    by topic (the stem of the answer file's name), with ``general`` for the rest. ``shared_error_share`` is the share
    of its errors that it has in common with the other models: it fails where the example is hard for all, with the
    wrong answer they give too; the rest of its errors are its own. Latency is lognormal: ``latency_median_s`` and the
    standard deviation of its logarithm; ``first_token_share`` of it passes before the first token of a stream.
    ``faults`` are rates per request. ``verbosity`` is the share of short answers given as a sentence.
    """

    id: str
    price_in: Decimal
    price_out: Decimal
    skill: Mapping[str, float]
    shared_error_share: float = 0.3
    latency_median_s: float = 0.5
    latency_spread: float = 0.3
    first_token_share: float = 0.4
    faults: Mapping[Fault, float] = field(default_factory=dict)
    unreadable_rate: float = 0.01
    verbosity: float = 0.1
    reasoning_tokens: int = 0
    hang_s: float = 20.0
    last_message_must_be_user: bool = False

    def __post_init__(self) -> None:
        for price in (self.price_in, self.price_out):
            if price < 0 or price * 1000 % 1:
                raise ValueError(f"{self.id}: a price is a multiple of 0.001 dollars per million tokens, not {price}")
        shares = (self.shared_error_share, self.first_token_share, self.unreadable_rate, self.verbosity)
        for share in (*shares, *self.skill.values(), sum(self.faults.values())):
            if not 0 <= share <= 1:
                raise ValueError(f"{self.id}: a share is between 0 and 1, not {share}")
        if GENERAL not in self.skill:
            raise ValueError(f"{self.id}: skill needs an entry for {GENERAL!r}")

    @property
    def nanousd_per_token_in(self) -> int:
        return int(self.price_in * 1000)

    @property
    def nanousd_per_token_out(self) -> int:
        return int(self.price_out * 1000)

    def skill_in(self, topic: str) -> float:
        return self.skill.get(topic, self.skill[GENERAL])


def _skill(*, sales: float, support: float, summary: float) -> Mapping[str, float]:
    by_topic = {"sales_assistant": sales, "customer_support": support, "content_summary": summary}
    return MappingProxyType({**by_topic, GENERAL: round(sum(by_topic.values()) / 3, 3)})


_SMALL_FAULTS = MappingProxyType({Fault.RATE_LIMITED: 0.004, Fault.SERVER_ERROR: 0.002})
_OPEN_FAULTS = MappingProxyType({Fault.OVERLOADED: 0.004, Fault.MALFORMED: 0.002, Fault.EMPTY: 0.002})

MODELS = (
    SimulatedModel(
        id="sim-atlas-large",
        price_in=Decimal("2.5"),
        price_out=Decimal(10),
        skill=_skill(sales=0.86, support=0.84, summary=0.88),
        shared_error_share=0.35,
        latency_median_s=0.9,
        verbosity=0.05,
    ),
    SimulatedModel(
        id="sim-atlas-small",
        price_in=Decimal("0.15"),
        price_out=Decimal("0.6"),
        skill=_skill(sales=0.76, support=0.74, summary=0.78),
        # Small and large of one house fail alike more than strangers do.
        shared_error_share=0.45,
        latency_median_s=0.4,
        faults=_SMALL_FAULTS,
    ),
    SimulatedModel(
        id="sim-beacon-pro",
        price_in=Decimal("1.25"),
        price_out=Decimal(5),
        skill=_skill(sales=0.83, support=0.81, summary=0.85),
        latency_median_s=0.8,
        verbosity=0.05,
    ),
    SimulatedModel(
        id="sim-beacon-lite",
        price_in=Decimal("0.1"),
        price_out=Decimal("0.4"),
        skill=_skill(sales=0.72, support=0.75, summary=0.74),
        latency_median_s=0.3,
        faults=_SMALL_FAULTS,
        unreadable_rate=0.02,
    ),
    SimulatedModel(
        id="sim-cobalt-medium",
        price_in=Decimal("0.4"),
        price_out=Decimal("1.2"),
        skill=_skill(sales=0.78, support=0.77, summary=0.76),
        shared_error_share=0.2,
        latency_median_s=0.6,
        latency_spread=0.4,
    ),
    SimulatedModel(
        id="sim-drift-mini",
        price_in=Decimal("0.05"),
        price_out=Decimal("0.2"),
        skill=_skill(sales=0.62, support=0.66, summary=0.6),
        shared_error_share=0.4,
        latency_median_s=0.2,
        faults=_SMALL_FAULTS,
        unreadable_rate=0.04,
        verbosity=0.2,
    ),
    SimulatedModel(
        id="sim-ember-open",
        price_in=Decimal("0.2"),
        price_out=Decimal("0.2"),
        skill=_skill(sales=0.73, support=0.76, summary=0.72),
        shared_error_share=0.15,
        latency_median_s=0.5,
        latency_spread=0.5,
        faults=_OPEN_FAULTS,
        unreadable_rate=0.03,
        last_message_must_be_user=True,
    ),
    SimulatedModel(
        id="sim-fathom-reasoner",
        price_in=Decimal(4),
        price_out=Decimal(16),
        skill=_skill(sales=0.91, support=0.9, summary=0.87),
        shared_error_share=0.3,
        latency_median_s=2.5,
        latency_spread=0.5,
        first_token_share=0.8,
        reasoning_tokens=180,
        verbosity=0.0,
    ),
)

CATALOGUE: Mapping[str, SimulatedModel] = MappingProxyType({model.id: model for model in MODELS})
