"""What a call costs. Money is integer nano-dollars, prices are nano-dollars per million tokens."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from panels.fusion.types import Usage

NANOUSD_PER_USD = 1_000_000_000
_TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """List price of a model, nano-dollars per million tokens. An unknown price is no Price at all."""

    in_nanousd_per_mtok: int
    out_nanousd_per_mtok: int

    @classmethod
    def known(cls, price_in: int | None, price_out: int | None) -> Price | None:
        """The price of a model whose inventory row holds these two, None unless both are known."""
        if price_in is None or price_out is None:
            return None
        return cls(in_nanousd_per_mtok=price_in, out_nanousd_per_mtok=price_out)


def call_cost(price: Price | None, usage: Usage) -> int | None:
    """List cost of a reply in nano-dollars; None if the price or a token count is unknown.

    Rounded half to even: at $0.0375 every other call ends on a half, and over a run these have to cancel out.
    """
    if price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    exact = usage.prompt_tokens * price.in_nanousd_per_mtok + usage.completion_tokens * price.out_nanousd_per_mtok
    whole, rest = divmod(exact, _TOKENS_PER_PRICE)
    return whole + (2 * rest + whole % 2 > _TOKENS_PER_PRICE)


def worst_case_cost(price: Price, *, body_bytes: int, max_tokens: int) -> int:
    """The most a call can cost in nano-dollars: a token of input is at least one UTF-8 byte of the body."""
    exact = body_bytes * price.in_nanousd_per_mtok + max_tokens * price.out_nanousd_per_mtok
    return -(-exact // _TOKENS_PER_PRICE)


def nanousd_from_dollars(dollars: Decimal | str | float) -> int:
    """Integer nano-dollars, rounded half to even; ValueError if it is no finite number."""
    amount = Decimal(str(dollars))
    if not amount.is_finite():
        msg = f"not a finite amount of dollars: {dollars}"
        raise ValueError(msg)
    return int((amount * NANOUSD_PER_USD).to_integral_value(rounding=ROUND_HALF_EVEN))


def dollars_from_nanousd(nanousd: int) -> Decimal:
    """Dollars, exact to nine decimals."""
    return Decimal(nanousd) / NANOUSD_PER_USD
