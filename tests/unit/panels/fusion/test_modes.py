from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.modes import UnknownMode, apply_mode, mode_of, stop_at_of
from panels.fusion.types import Arbiter, ArbiterWhen, Timing
from tests.unit.panels.fusion.fused import panel

BASE = replace(
    panel(("a", "b", "c"), stop_at=0.3),
    arbiter=Arbiter(model="j", prompt="auto-1"),
    timing=Timing(min_replies=2, deadline_s=4),
)


def test_budget_stops_early_and_asks_the_arbiter_only_when_disputed() -> None:
    budget = apply_mode(BASE, "budget")
    assert budget.stop_at == 0.501
    assert budget.arbiter is not None
    assert budget.arbiter.when is ArbiterWhen.DISPUTED
    assert budget.timing == BASE.timing
    assert budget == apply_mode(BASE, 0.0)


def test_quality_never_stops_early_and_always_asks_the_arbiter() -> None:
    quality = apply_mode(BASE, "quality")
    assert quality.stop_at is None
    assert quality.arbiter is not None
    assert quality.arbiter.when is ArbiterWhen.ALWAYS
    assert quality.timing == Timing(deadline_s=4)
    assert quality == apply_mode(BASE, 1)


def test_a_mode_changes_nothing_else() -> None:
    middle = apply_mode(BASE, 0.5)
    assert replace(middle, stop_at=BASE.stop_at) == BASE
    assert middle.stop_at == 0.7505
    assert apply_mode(panel(("a",)), "quality") == panel(("a",))


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_mode_never_stops_at_less(one: float, other: float) -> None:
    lower, higher = (apply_mode(BASE, mode).stop_at or 2.0 for mode in sorted((one, other)))
    assert 0.5 < lower <= higher
    assert higher <= 1 or max(one, other) == 1


@pytest.mark.parametrize("mode", ["", "best", -0.1, 1.1, float("nan"), True])
def test_any_other_mode_is_refused(mode: str | float) -> None:
    with pytest.raises(UnknownMode, match="budget, quality or a number from 0 to 1"):
        apply_mode(BASE, mode)


@pytest.mark.parametrize(("text", "stop_at"), [("budget", 0.501), ("quality", None), ("0.5", 0.7505), ("1", None)])
def test_a_mode_is_read_as_people_write_it(text: str, stop_at: float | None) -> None:
    assert stop_at_of(mode_of(text)) == stop_at
