from __future__ import annotations

from decimal import Decimal

import pytest

from panels.simulator.catalogue import CATALOGUE, MODELS
from panels.simulator.chaos import CHAOS_MODELS
from panels.simulator.model import GENERAL, Fault, SimulatedModel


def model(**changes) -> SimulatedModel:
    values = {"id": "sim-x", "price_in": Decimal(1), "price_out": Decimal(2), "skill": {GENERAL: 0.5}}
    return SimulatedModel(**{**values, **changes})


def test_the_catalogue_differs_in_price_and_skill_and_names_nobody_real():
    assert len(MODELS) == 9
    assert all(entry.id.startswith("sim-") for entry in MODELS)
    assert len({entry.price_out for entry in MODELS}) >= 6
    assert len({entry.skill_in("customer_support") for entry in MODELS}) >= 6


def test_the_catalogue_holds_the_models_and_the_chaos_kit():
    assert list(CATALOGUE) == [entry.id for entry in (*MODELS, *CHAOS_MODELS)]


def test_prices_are_whole_nano_dollars_a_token():
    priced = model(price_in=Decimal("0.125"), price_out=Decimal("2.5"))
    assert (priced.nanousd_per_token_in, priced.nanousd_per_token_out) == (125, 2500)


def test_an_arbiter_judges_as_well_as_it_answers_unless_it_is_said():
    skill = {"support": 0.9, GENERAL: 0.4}
    assert [model(skill=skill).judging_in(topic) for topic in ("support", "law")] == [0.9, 0.4]
    assert model(skill=skill, judging=0.0).judging_in("support") == 0.0


def test_a_topic_that_is_not_listed_takes_the_general_skill():
    entry = model(skill={"support": 0.9, GENERAL: 0.4})
    assert (entry.skill_in("support"), entry.skill_in("law")) == (0.9, 0.4)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_in": Decimal("0.0001")},
        {"price_out": Decimal(-1)},
        {"skill": {GENERAL: 1.1}},
        {"skill": {"support": 0.5}},
        {"judging": 1.5},
        {"bad_analysis_rate": -0.1},
        {"shared_error_share": -0.1},
        {"faults": {Fault.HANG: 0.6, Fault.EMPTY: 0.6}},
    ],
)
def test_a_model_that_cannot_be_is_refused(changes):
    with pytest.raises(ValueError, match="sim-x"):
        model(**changes)
