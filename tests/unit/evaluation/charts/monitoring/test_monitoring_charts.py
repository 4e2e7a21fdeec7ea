from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from evaluation.charts.monitoring import STEP_CHARTS
from evaluation.charts.monitoring.drawing import spread
from evaluation.charts.monitoring.frame import Frame
from evaluation.selectors.monitoring import Freshness, MonitoringPage, Spend, StepFigures
from evaluation.selectors.monitoring_filters import Choice, MonitoringFilter, Option
from evaluation.selectors.traffic import AnswerSums, Span, steps_of
from evaluation.stats.log_histogram import count_values, pack
from fusion_site.lib.chart import Chart

NOW = datetime(2026, 11, 23, 12, 40, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NOTHING = Spend(nanousd=0, unknown=0, calls=0)


def bins(**counts: int) -> list[int]:
    """``at_19=3`` puts three into the last bin."""
    return [counts.get(f"at_{place}", 0) for place in range(20)]


def some_answers(n: int = 10, **fields) -> AnswerSums:
    known: dict[str, Any] = {
        "answers": n,
        "answered": n,
        "cost_nanousd": n * 1_000_000,
        "latency": [pack(count_values([0.5] * n))],
    }
    return AnswerSums(**(known | fields))


def frame_of(
    whole: AnswerSums, *, span: Span = Span.DAY, spend: Spend = NOTHING, at: int = -2, target: int | None = None
) -> Frame:
    """Everything happened in one step; ``at`` counts from the end."""
    steps = steps_of(span, now=NOW)
    place = len(steps) + at
    by_step = tuple(
        StepFigures(
            starts_at=start,
            answers=whole if number == place else AnswerSums(),
            spend=spend if number == place else NOTHING,
        )
        for number, start in enumerate(steps)
    )
    chosen = Option(pk=1, value="w", label="W", target_p95_ms=target)
    page = MonitoringPage(
        wanted=MonitoringFilter(
            span=span,
            choices=(Choice(name="workflow", label="Workflow", options=(chosen,), chosen=chosen),),
            unknown=(),
        ),
        steps=steps,
        answers=whole,
        by_step=by_step,
        models=(),
        spend=spend,
        freshness=Freshness(swept_at=NOW, waiting=0, oldest=None, is_stale=False),
        has_any=True,
    )
    return Frame(page=page, zone=BERLIN)


def drawn(name: str, frame: Frame) -> Chart:
    chart = STEP_CHARTS[name].on(frame)
    assert chart is not None
    assert chart.json
    return chart


def names_of(chart: Chart) -> list[str]:
    return [label["text"] for label in chart.figure["labels"]]


@pytest.mark.parametrize("name", STEP_CHARTS)
def test_there_is_no_chart_of_nothing_and_it_says_why(name):
    assert STEP_CHARTS[name].on(frame_of(AnswerSums())) is None
    assert STEP_CHARTS[name].lacking.endswith(".")


def test_hours_are_named_in_the_zone_of_the_site_and_days_are_days_in_utc():
    assert frame_of(some_answers()).names[-1] == "23 Nov 13:00"
    assert frame_of(some_answers(), span=Span.MONTH).names[-1] == "23 Nov"
    assert frame_of(some_answers()).places[-1] == "2026-11-23 12:00"


@pytest.mark.parametrize("span", list(Span))
def test_every_span_has_a_few_ticks(span):
    frame = frame_of(some_answers(), span=span)
    axis = frame.axis
    assert 3 <= len(axis["ticktext"]) == len(set(axis["ticktext"])) <= 6
    assert set(axis["tickvals"]) <= set(frame.places)


def test_latency_has_three_percentiles_with_gaps_where_nobody_asked_and_the_target():
    chart = drawn("latency", frame_of(some_answers(), target=600))
    for trace in chart.figure["data"]:
        assert [y for y in trace["y"] if y is not None] == pytest.approx([500], rel=0.01)
        assert trace["marker"]["size"][-2:] == [6, 6]
        assert trace["marker"]["symbol"][-1].endswith("-open")
        assert not trace["marker"]["symbol"][-2].endswith("-open")
    assert names_of(chart) == ["P50", "P95", "P99", "P95 target 600 ms"]
    assert chart.figure["layout"]["shapes"][0]["y0"] == 600
    assert len(chart.rows) == 1
    assert chart.rows[0][:2] == ("23 Nov 12:00", "10")
    assert "in the slowest step, 23 Nov 12:00" in chart.finding
    assert "shapes" not in drawn("latency", frame_of(some_answers())).figure["layout"]


def test_consensus_is_a_stack_of_bands_that_add_up():
    chart = drawn("consensus", frame_of(some_answers(consensus=bins(at_19=6, at_15=1, at_12=1, at_9=2))))
    assert [trace["y"][-2] for trace in chart.figure["data"]] == [60, 10, 10, 20]
    assert {trace["y"][0] for trace in chart.figure["data"]} == {None}
    assert chart.finding == "60.0 % of 10 answers have a consensus of 0.95 to 1, 20.0 % under 0.5."
    assert chart.rows == (("23 Nov 12:00", "10", "6", "1", "1", "2"),)


def test_confidence_counts_the_answers_that_have_one():
    chart = drawn("confidence", frame_of(some_answers(confidence=bins(at_19=1, at_0=1))))
    assert chart.subtitle == "% of answers by confidence, 2 answers that have one"
    assert chart.rows[0] == ("23 Nov 12:00", "2", "1", "0", "0", "1")


def test_rates_have_their_interval_unless_it_is_narrower_than_the_mark():
    trace = drawn("stages", frame_of(some_answers(escalated=3, stopped_early=5))).figure["data"][0]
    assert trace["y"][-2] == 30
    assert 0 < trace["error_y"]["arrayminus"][-2] < 30 < 30 + trace["error_y"]["array"][-2] < 100
    many = drawn("stages", frame_of(some_answers(10_000, escalated=3_000))).figure["data"][0]
    assert many["error_y"]["array"][-2] == 0


def test_overturns_are_of_what_an_arbiter_saw():
    chart = drawn("overturned", frame_of(some_answers(arbitrated=4, overturned=1)))
    assert chart.figure["data"][0]["y"][-2] == 25
    assert chart.finding.startswith("In 1 of 4 cases, 25.0 % (")


def test_costs_are_per_thousand_and_what_is_not_scored_has_no_line():
    chart = drawn("cost", frame_of(some_answers(answered=5)))
    assert [trace["y"][-2] for trace in chart.figure["data"]] == [1.0, 2.0]
    assert "0 of 10 answers are scored." in chart.finding
    scored = drawn("cost", frame_of(some_answers(scored=10, correct=5)))
    assert scored.figure["data"][2]["y"][-2] == 2.0
    assert scored.finding == "On average $0.0010 per request, $0.0010 per answered one, $0.0020 per correct one."
    partly = drawn("cost", frame_of(some_answers(scored=10, correct=5, cost_unknown=5)))
    assert partly.finding.endswith("5 of unknown price are left out.")


def test_spend_says_what_is_not_in_it():
    chart = drawn("spend", frame_of(some_answers(), spend=Spend(nanousd=2_000_000_000, unknown=1, calls=9)))
    assert chart.figure["data"][0]["y"][-2] == 2.0
    assert chart.finding == "$2.00 were spent. What 1 calls cost is unknown and not in it."
    unknown = frame_of(some_answers(), spend=Spend(nanousd=0, unknown=9, calls=9))
    assert STEP_CHARTS["spend"].on(unknown) is None


def test_degraded_answers_are_drawn_by_reason_and_all_reasons_are_in_the_table():
    reasons = Counter(member_failed=3, deadline=2, without_arbiter=1, something_else=1)
    chart = drawn("degraded", frame_of(some_answers(degraded=4, reasons=reasons)))
    assert names_of(chart) == ["any reason", "member failed", "deadline", "no arbiter asked"]
    assert chart.rows[0][-1] == "member failed 3, deadline 2, no arbiter asked 1, something else 1"
    whole = drawn("degraded", frame_of(some_answers()))
    assert whole.finding == "Nothing was cut short in any answer."
    assert whole.rows[0][-1] == "none"


def test_the_bar_of_the_step_that_is_not_over_is_hatched():
    trace = drawn("requests", frame_of(some_answers(), at=-1)).figure["data"][0]
    assert trace["marker"]["pattern"]["shape"] == [""] * 23 + ["/"]
    assert trace["y"][-1] == 10


def test_records_have_every_step_with_plain_numbers():
    page = frame_of(some_answers()).page
    records = list(STEP_CHARTS["requests"].records(page))
    assert len(records) == 24
    assert records[-2]["answers"] == 10
    assert datetime.fromisoformat(records[0]["starts_at"]) == NOW.replace(minute=0) - timedelta(hours=23)


@pytest.mark.parametrize(
    ("middles", "placed"),
    [([10, 40, 90], [10, 40, 90]), ([50, 51, 52], [50, 60, 70]), ([98, 99, 100], [75, 85, 95]), ([0, 0], [5, 15])],
)
def test_labels_beside_a_stack_stay_apart_and_inside(middles, placed):
    assert spread(middles, 10) == placed
