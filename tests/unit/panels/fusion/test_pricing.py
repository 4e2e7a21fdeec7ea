from __future__ import annotations

from decimal import Decimal

import pytest

from panels.fusion.pricing import Price, call_cost, dollars_from_nanousd, nanousd_from_dollars, worst_case_cost
from panels.fusion.types import Usage

PRICE = Price(in_nanousd_per_mtok=2_500_000_000, out_nanousd_per_mtok=10_000_000_000)  # $2.50 and $10.00


def test_call_cost_is_tokens_times_price() -> None:
    assert call_cost(PRICE, Usage(prompt_tokens=1_000, completion_tokens=100)) == 3_500_000


def test_call_cost_rounds_to_the_nano_dollar() -> None:
    price = Price(in_nanousd_per_mtok=37_500_000, out_nanousd_per_mtok=0)  # 37.5 nano-dollars a token
    assert call_cost(price, Usage(prompt_tokens=1, completion_tokens=0)) == 38
    assert call_cost(price, Usage(prompt_tokens=2, completion_tokens=0)) == 75
    assert call_cost(price, Usage(prompt_tokens=3, completion_tokens=0)) == 112  # half to even


@pytest.mark.parametrize("usage", [Usage(prompt_tokens=1), Usage(completion_tokens=1), Usage()])
def test_unknown_tokens_cost_an_unknown_amount(usage: Usage) -> None:
    assert call_cost(PRICE, usage) is None


def test_an_unknown_price_costs_an_unknown_amount() -> None:
    assert call_cost(None, Usage(prompt_tokens=1, completion_tokens=1)) is None
    assert Price.known(None, 3) is None
    assert Price.known(2, 3) == Price(in_nanousd_per_mtok=2, out_nanousd_per_mtok=3)


def test_the_worst_case_is_never_below_the_cost() -> None:
    assert worst_case_cost(PRICE, body_bytes=1_000, max_tokens=100) == 3_500_000
    tiny = Price(in_nanousd_per_mtok=1, out_nanousd_per_mtok=1)
    assert worst_case_cost(tiny, body_bytes=1, max_tokens=0) == 1


def test_dollars_and_back() -> None:
    assert nanousd_from_dollars("0.075") == 75_000_000
    assert nanousd_from_dollars(0.1) == 100_000_000
    assert dollars_from_nanousd(12_913_300_000) == Decimal("12.9133")


@pytest.mark.parametrize("amount", ["nan", "inf", Decimal("-inf")])
def test_no_finite_amount_is_refused(amount: Decimal | str) -> None:
    with pytest.raises(ValueError, match="finite"):
        nanousd_from_dollars(amount)
