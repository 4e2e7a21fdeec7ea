from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.quote import Quote, Terms, may_ask, planned_worst, quote
from panels.fusion.types import (
    AnswerKind,
    Panel,
    StrategyName,
    Timing,
)
from tests.unit.panels.fusion.fused import question
from tests.unit.panels.fusion.priced import (
    ALWAYS,
    CHEAP,
    DEAR,
    DISPUTED,
    JUDGE_LEAST,
    JUDGE_USUAL,
    JUDGE_WORST,
    LEAST,
    PRICES,
    TEXT,
    USUAL,
    WORST,
    panel_of,
    terms,
)


def of(panel: Panel, **changes: object) -> Quote:
    return quote(panel, TEXT, terms(**changes))


def test_one_stage_without_an_arbiter() -> None:
    assert of(panel_of("ab")) == Quote(
        least_nanousd=2 * LEAST, expected_nanousd=2 * USUAL, most_nanousd=2 * WORST, planned_nanousd=2 * WORST
    )


def test_without_a_stop_rule_every_stage_is_called() -> None:
    every = of(panel_of("a", "c"))
    assert (every.least_nanousd, every.expected_nanousd, every.most_nanousd) == (101 * LEAST, 101 * USUAL, 101 * WORST)


def test_with_one_a_later_stage_is_for_what_is_disputed() -> None:
    staged = of(panel_of("a", "c", "c", stop_at=0.6), disputed_share=0.5)
    assert staged.least_nanousd == LEAST
    assert staged.expected_nanousd == USUAL + 50 * USUAL + 25 * USUAL
    assert staged.most_nanousd == 201 * WORST


@pytest.mark.parametrize(
    ("panel", "asks_least", "asks_expected"),
    [
        (panel_of("ab", when=ALWAYS), 1, 1),
        (panel_of("ab", when=ALWAYS, stop_at=0.6), 1, 1),
        (panel_of("ab", when=DISPUTED), 0, 0.5),
        (panel_of("ab", when=DISPUTED, stop_at=0.6), 0, 0.5),
        (panel_of("ab", when=DISPUTED, stop_at=0.6, settles=True), 0, 0),
        (panel_of("ab", when=ALWAYS, settles=True), 0, 0),
        (panel_of("ab", when=ALWAYS, strategy=StrategyName.AUTO), 1, 1),
    ],
)
def test_the_arbiter_is_asked_for_what_the_panel_leaves_it(panel: Panel, asks_least: int, asks_expected: float) -> None:
    asked = of(panel, disputed_share=0.5)
    assert asked.least_nanousd == 2 * LEAST + asks_least * JUDGE_LEAST
    assert asked.expected_nanousd == 2 * USUAL + asks_expected * JUDGE_USUAL
    assert asked.most_nanousd == 2 * WORST + 2 * JUDGE_WORST


def test_a_settling_stage_may_be_cheaper_than_the_arbiter_it_spares_and_the_other_way_round() -> None:
    staged = panel_of("a", "b", when=ALWAYS, stop_at=0.6, settles=True)
    assert of(staged).least_nanousd == 2 * LEAST
    assert of(staged, prices={**PRICES, "b": DEAR, "j": CHEAP}).least_nanousd == 2 * LEAST
    assert of(staged, disputed_share=0.25).expected_nanousd == round(1.25 * USUAL + 0.75 * JUDGE_USUAL)
    assert of(staged, prices={"a": CHEAP, "j": CHEAP}).least_nanousd is None  # who knows what b would cost instead


def test_an_arbiter_that_is_never_asked_costs_nothing() -> None:
    closed = quote(panel_of("ab", when=ALWAYS, strategy=StrategyName.AUTO), question(AnswerKind.CHOICE), terms())
    recused = of(panel_of("aj", when=ALWAYS), prices={"a": CHEAP, "j": CHEAP})
    voting = of(panel_of("ab", when=ALWAYS, strategy=StrategyName.MAJORITY))
    for without in (closed, recused, voting):
        assert without.most_nanousd == 2 * WORST
    assert may_ask(panel_of("aj", when=ALWAYS), TEXT) is None


def test_hedges_and_attempts_count_in_the_most_alone() -> None:
    hedging = panel_of("ac", "b", when=DISPUTED, timing=Timing(hedges=True))
    once = of(hedging)
    assert once.expected_nanousd == of(replace(hedging, timing=Timing())).expected_nanousd
    bare = of(replace(hedging, timing=Timing())).most_nanousd
    assert once.most_nanousd == (bare or 0) + 101 * WORST
    assert of(hedging, attempts=3).most_nanousd == 3 * (once.most_nanousd or 0)


def test_the_retry_of_the_arbiter_is_not_planned_for() -> None:
    assert planned_worst(panel_of("ab", when=DISPUTED), TEXT, terms()) == 2 * WORST + JUDGE_WORST


def test_an_unknown_price_leaves_blank_what_it_is_part_of() -> None:
    unknown = of(panel_of("a", "xyx", when=DISPUTED, stop_at=0.6), prices={"a": CHEAP, "y": None})
    assert unknown == Quote(least_nanousd=LEAST, expected_nanousd=None, most_nanousd=None, unpriced=("x", "y", "j"))
    settled = of(panel_of("ab", when=DISPUTED, settles=True), prices={"a": CHEAP, "b": CHEAP})
    assert (settled.expected_nanousd, settled.most_nanousd) == (2 * USUAL, None)


def test_measured_output_is_expected_up_to_what_is_allowed() -> None:
    assert of(panel_of("a"), output_tokens_of=lambda model, most: 5).expected_nanousd == 200 + 50
    assert of(panel_of("a"), output_tokens_of=lambda model, most: 500).expected_nanousd == 200 + 400


def test_by_default_the_longest_body_of_the_arbiter_is_the_engines_own() -> None:
    own = Terms(prices=PRICES, body_bytes_of=lambda *_: 800)
    assert (quote(panel_of("ab", when=ALWAYS), TEXT, own).most_nanousd or 0) > 2 * WORST + 2 * 100 * 2_048


panels = st.builds(
    panel_of,
    st.text("abc", min_size=1, max_size=3),
    st.text("abc", min_size=1, max_size=3),
    settles=st.booleans(),
    when=st.sampled_from([None, ALWAYS, DISPUTED]),
    stop_at=st.sampled_from([None, 0.6]),
    timing=st.builds(Timing, hedges=st.booleans()),
)


@settings(deadline=None)
@given(panels, st.floats(0, 1), st.integers(0, 5_000), st.integers(0, 100), st.integers(1, 3))
def test_the_figures_are_in_order(panel: Panel, share: float, length: int, output: int, attempts: int) -> None:
    figures = of(
        panel,
        disputed_share=share,
        body_bytes_of=lambda *_: length,
        output_tokens_of=lambda *_: output,
        attempts=attempts,
    )
    assert figures.least_nanousd is not None
    assert figures.expected_nanousd is not None
    assert figures.most_nanousd is not None
    assert 0 <= figures.least_nanousd <= figures.expected_nanousd <= figures.most_nanousd
