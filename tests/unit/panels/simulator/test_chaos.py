from __future__ import annotations

from collections import Counter

import pytest

from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chaos import CHAOS_MODELS, BadFaultRate, parse_fault_rates, with_fault_rates
from panels.simulator.model import Fault


def test_every_fault_has_a_model_that_always_meets_it():
    certain = Counter(fault for model in CHAOS_MODELS for fault, rate in model.faults.items() if rate == 1.0)
    assert set(certain) == set(Fault)


def test_every_model_of_the_kit_has_one_evil_and_is_else_like_the_others():
    assert len({model.id for model in CHAOS_MODELS}) == len(CHAOS_MODELS)
    for model in CHAOS_MODELS:
        evils = [
            bool(model.faults),
            model.last_message_must_be_user,
            model.hides_price,
            bool(model.postscript),
            model.bad_analysis_rate > 0,
            model.region != "eu-central",
        ]
        assert model.id.startswith("chaos-")
        assert sum(evils) == 1, model.id


def test_rates_are_read_from_several_texts_and_the_last_word_counts():
    assert parse_fault_rates(["rate_limited=0.1, reset = 1", "reset=0.02", " , "]) == {
        Fault.RATE_LIMITED: 0.1,
        Fault.RESET: 0.02,
    }
    assert parse_fault_rates([""]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rain=0.1", "names no fault.*rate_limited"),
        ("reset", "reset=0.1"),
        ("reset=often", "from 0 to 1"),
        ("reset=1.1", "from 0 to 1"),
        ("reset=-0.1", "from 0 to 1"),
        ("reset=nan", "from 0 to 1"),
    ],
)
def test_a_rate_that_cannot_be_used_says_what_to_write(text, words):
    with pytest.raises(BadFaultRate, match=words):
        parse_fault_rates([text])


def test_rates_replace_those_of_the_same_fault_and_leave_the_kit_alone():
    changed = with_fault_rates(CATALOGUE, {Fault.RATE_LIMITED: 0.5, Fault.RESET: 0.1})
    assert changed["sim-atlas-large"].faults == {Fault.RATE_LIMITED: 0.5, Fault.RESET: 0.1}
    assert changed["sim-atlas-small"].faults == {
        Fault.RATE_LIMITED: 0.5,
        Fault.SERVER_ERROR: 0.002,
        Fault.RESET: 0.1,
    }
    assert changed["chaos-500"] == CATALOGUE["chaos-500"]
    assert with_fault_rates(CATALOGUE, {}) == CATALOGUE


def test_rates_that_add_up_to_more_than_all_requests_are_refused():
    with pytest.raises(BadFaultRate, match=r"together must not exceed 1: sim-atlas-large"):
        with_fault_rates(CATALOGUE, {Fault.RESET: 0.6, Fault.EMPTY: 0.6})
