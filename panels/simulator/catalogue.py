"""The simulated models. All names are invented; all figures are planted, so that a measurement can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from panels.simulator.chaos import CHAOS_MODELS
from panels.simulator.model import GENERAL, Fault, SimulatedModel


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
    SimulatedModel(
        id="sim-gauge-arbiter",
        price_in=Decimal("0.8"),
        price_out=Decimal("3.2"),
        skill=_skill(sales=0.8, support=0.79, summary=0.82),
        shared_error_share=0.25,
        latency_median_s=0.7,
        verbosity=0.05,
        # Better at telling who is right than at being right.
        judging=0.94,
    ),
)

CATALOGUE: Mapping[str, SimulatedModel] = MappingProxyType({model.id: model for model in (*MODELS, *CHAOS_MODELS)})
