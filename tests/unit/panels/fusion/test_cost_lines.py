from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.arbitration import PromptRef
from panels.fusion.cost_lines import Basis, Charge, Role, add_up, charge_of, cost_lines
from panels.fusion.fuse import fuse_alone
from panels.fusion.outcomes import ArbiterCall, Arbitration, Fused, MemberCall
from panels.fusion.pricing import Price
from panels.fusion.schedule import member_call
from panels.fusion.types import Arbiter, Failure, FailureKind, Member, Reply, Usage
from tests.unit.panels.fusion.fused import question

PRICE = Price(in_nanousd_per_mtok=2_000_000, out_nanousd_per_mtok=10_000_000)  # 2 and 10 nano-dollars a token
USED = Usage(prompt_tokens=3, completion_tokens=4)
SILENT = Usage()
LISTED = Charge(nanousd=46, basis=Basis.LISTED)
NOTHING = Charge(nanousd=0, basis=Basis.NOTHING)
WORST = Charge(nanousd=100, basis=Basis.WORST_CASE)
UNKNOWN = Charge(nanousd=None, basis=Basis.UNKNOWN)


def failed(kind: FailureKind, usage: Usage = SILENT, *, status_code: int | None = None) -> Failure:
    return Failure(kind=kind, detail="", usage=usage, status_code=status_code)


def reported(nanousd: int, usage: Usage = USED) -> Usage:
    return replace(usage, reported_cost_nanousd=nanousd)


@pytest.mark.parametrize(
    ("result", "charge"),
    [
        (Reply(text="A", usage=USED), LISTED),
        (Reply(text="A", usage=reported(0)), LISTED),  # a key of one's own, billed elsewhere
        (Reply(text="A", usage=reported(50)), Charge(nanousd=50, basis=Basis.REPORTED)),
        (Reply(text="A", usage=reported(7, Usage())), Charge(nanousd=7, basis=Basis.REPORTED)),
        (Reply(text="A"), WORST),
        (Reply(text="A", usage=USED, age_s=60.0), Charge(nanousd=0, basis=Basis.REUSED)),
        (failed(FailureKind.RATE_LIMITED), NOTHING),
        (failed(FailureKind.CEILING), NOTHING),
        (failed(FailureKind.EMPTY, USED), LISTED),
        (failed(FailureKind.TIMEOUT), WORST),
        (failed(FailureKind.TIMEOUT, status_code=408), NOTHING),
        (failed(FailureKind.STREAM_CUT, USED), WORST),
        (failed(FailureKind.STREAM_CUT, reported(101)), Charge(nanousd=101, basis=Basis.REPORTED)),
        (failed(FailureKind.CANCELLED), WORST),
        (failed(FailureKind.CANCELLED, USED), LISTED),  # it was done, and another was sooner
        (failed(FailureKind.DEADLINE), WORST),
        (failed(FailureKind.LATE), WORST),
    ],
)
def test_what_an_attempt_counts_at_a_known_price(result: Reply | Failure, charge: Charge) -> None:
    assert charge_of(result, price=PRICE, worst_nanousd=100) == charge


@pytest.mark.parametrize(
    ("result", "charge"),
    [
        (Reply(text="A", usage=USED), UNKNOWN),
        (Reply(text="A", usage=reported(7)), Charge(nanousd=7, basis=Basis.REPORTED)),
        (failed(FailureKind.TIMEOUT), UNKNOWN),
        (failed(FailureKind.STREAM_CUT, reported(7)), Charge(nanousd=7, basis=Basis.REPORTED)),
        (failed(FailureKind.SERVER), NOTHING),
    ],
)
def test_an_unknown_price_is_unknown_and_never_nothing(result: Reply | Failure, charge: Charge) -> None:
    assert charge_of(result, price=None) == charge


def fused(*results: Reply | Failure, arbiter: tuple[Reply | Failure, ...] = ()) -> Fused:
    calls: tuple[MemberCall, ...] = tuple(
        member_call(question(), Member(model=f"m{seat}"), seat, 0, result) for seat, result in enumerate(results)
    )
    asked = tuple(
        ArbiterCall(
            attempt=number,
            arbiter=Arbiter(model="j", prompt="synthesis-1"),
            prompt=PromptRef(name="synthesis-1", sha256=""),
            result=result,
        )
        for number, result in enumerate(arbiter, start=1)
    )
    alone = fuse_alone(question=question(), member=Member(model="m0"), result=results[0])
    return replace(alone, calls=calls, arbitration=Arbitration(calls=asked, seats=()) if asked else None)


PRICES = {"m0": PRICE, "m1": PRICE, "j": PRICE}


def test_every_attempt_of_members_and_arbiter_has_a_line() -> None:
    first = failed(FailureKind.RATE_LIMITED)
    outrun = failed(FailureKind.CANCELLED)
    of = fused(
        Reply(text="A", usage=USED, earlier=(first, outrun)),
        failed(FailureKind.SERVER),
        arbiter=(Reply(text="?", usage=USED, earlier=(first,)), Reply(text="{}", usage=USED)),
    )
    lines = cost_lines(of, PRICES, worst_of=lambda _: 100)
    assert [(line.role, line.model, line.seat, line.attempt, line.nanousd) for line in lines] == [
        (Role.MEMBER, "m0", 0, 1, 0),
        (Role.MEMBER, "m0", 0, 2, 100),
        (Role.MEMBER, "m0", 0, 3, 46),
        (Role.MEMBER, "m1", 1, 1, 0),
        (Role.ARBITER, "j", None, 1, 0),
        (Role.ARBITER, "j", None, 2, 46),
        (Role.ARBITER, "j", None, 3, 46),
    ]
    assert add_up(lines).total_nanousd == 238


def test_an_unknown_line_leaves_the_total_unknown_and_the_rest_known() -> None:
    total = add_up(cost_lines(fused(Reply(text="A", usage=USED), Reply(text="A", usage=USED)), {"m0": PRICE}))
    assert (total.known_nanousd, total.unknown, total.total_nanousd) == (46, 1, None)
    total = add_up(cost_lines(fused(failed(FailureKind.TIMEOUT)), PRICES))
    assert (total.known_nanousd, total.unknown, total.total_nanousd) == (0, 1, None)


usages = st.builds(Usage, prompt_tokens=st.integers(0, 10**6), completion_tokens=st.integers(0, 10**6))


@settings(deadline=None)
@given(
    st.lists(usages, min_size=1, max_size=4),
    st.integers(0, 10**10),
    st.integers(0, 10**10),
)
def test_lines_add_up_to_the_total_to_the_nano_dollar(of: list[Usage], price_in: int, price_out: int) -> None:
    price = Price(in_nanousd_per_mtok=price_in, out_nanousd_per_mtok=price_out)
    answer = fused(*(Reply(text="A", usage=usage) for usage in of))
    lines = cost_lines(answer, {f"m{seat}": price for seat in range(len(of))})
    total = add_up(lines).total_nanousd
    assert total == sum(line.nanousd or 0 for line in lines)
    exact = sum((usage.prompt_tokens or 0) * price_in + (usage.completion_tokens or 0) * price_out for usage in of)
    assert abs(total * 10**6 - exact) <= len(of) * 500_000  # half a nano-dollar a line
