from __future__ import annotations

import pytest

from evaluation.execution.plan import PlannedModel
from evaluation.execution.rows import attempt_rows, list_cost_nanousd, paid_nanousd, stored_ballot
from evaluation.execution.units import Purchase
from panels.fusion.pricing import Price
from panels.fusion.types import AnswerKind, Failure, FailureKind, ModelRequest, Reply, Sampling, Usage

PRICE = Price(in_nanousd_per_mtok=1_000_000_000, out_nanousd_per_mtok=2_000_000_000)
USED = Usage(prompt_tokens=10, completion_tokens=1)
WORST = 99_000


def bought(result: Reply | Failure, *, price: Price | None = PRICE) -> Purchase:
    model = PlannedModel(pk=1, name="m", provider="p", kind="openai", price=price)
    request = ModelRequest(model="1", messages=(), sampling=Sampling())
    worst = WORST if price is not None else None
    return Purchase(model=model, request=request, result=result, worst_nanousd=worst, bought=True)


def failed(kind: FailureKind, usage: Usage = Usage(), **fields) -> Failure:  # noqa: B008 - frozen
    return Failure(kind=kind, detail="", usage=usage, **fields)


@pytest.mark.parametrize(
    ("result", "listed", "paid"),
    [
        (Reply(text="A", usage=USED), 12_000, 12_000),
        (Reply(text="A"), None, WORST),
        (failed(FailureKind.TIMEOUT), 0, WORST),
        (failed(FailureKind.STREAM_CUT), 0, WORST),
        (failed(FailureKind.MALFORMED, USED), 12_000, WORST),
        (failed(FailureKind.TIMEOUT, status_code=408), 0, 0),
        (failed(FailureKind.RATE_LIMITED), 0, 0),
        (failed(FailureKind.EMPTY, USED), 12_000, 12_000),
    ],
)
def test_what_a_call_costs_by_list_and_what_counts_as_paid(result, listed, paid):
    assert (list_cost_nanousd(bought(result)), paid_nanousd(bought(result))) == (listed, paid)


def test_without_a_price_only_what_the_provider_reports_is_known():
    reported = Usage(prompt_tokens=10, completion_tokens=1, reported_cost_nanousd=7)
    unpriced = [bought(Reply(text="A", usage=usage), price=None) for usage in (USED, reported)]
    assert [(list_cost_nanousd(one), paid_nanousd(one)) for one in unpriced] == [(None, None), (None, 7)]


def test_a_reported_cost_does_not_replace_a_known_price():
    usage = Usage(prompt_tokens=10, completion_tokens=1, reported_cost_nanousd=0)
    assert paid_nanousd(bought(Reply(text="A", usage=usage))) == 12_000


def test_attempts_come_before_the_call_that_bought_the_reply_each_with_its_own_time_and_price():
    tried = (
        failed(FailureKind.SERVER, status_code=503, latency_s=1.0, pause_s=0.5),
        failed(FailureKind.STREAM_CUT, latency_s=2.0, pause_s=0.25),
    )
    row = {"attempt": 4, "offset_s": 13.75, "reply_key": "k", "ballot": "A", "group": 0, "seat": 2, "outcome": "ok"}
    first, second = attempt_rows(row, bought(Reply(text="A", usage=USED, earlier=tried)))
    assert [(each["attempt"], each["offset_s"], each["latency_s"]) for each in (first, second)] == [
        (4, 10.0, 1.0),
        (5, 11.5, 2.0),
    ]
    assert (first["outcome"], first["status_code"], first["spent_nanousd"], first["cost_nanousd"]) == (
        "server",
        503,
        0,
        0,
    )
    assert (second["outcome"], second["spent_nanousd"], second["cost_nanousd"]) == ("stream_cut", WORST, 0)
    assert {(each["seat"], each["reply_key"], each["ballot"], each["group"]) for each in (first, second)} == {
        (2, "", None, None)
    }


def test_attempts_that_were_not_timed_have_no_place_in_time():
    row = {"attempt": 1, "offset_s": None}
    rows = attempt_rows(row, bought(Reply(text="A", earlier=(failed(FailureKind.SERVER),))))
    assert [each["offset_s"] for each in rows] == [None]


@pytest.mark.parametrize(
    ("value", "kind", "stored"),
    [
        ("B", AnswerKind.CHOICE, "B"),
        (42.0, AnswerKind.NUMBER, "42"),
        (0.1, AnswerKind.NUMBER, "0.1"),
        ("x" * 301, AnswerKind.TEXT, "x" * 300),
        ("x" * 301, AnswerKind.SHORT, "x" * 301),
    ],
)
def test_ballots_are_stored_as_text(value, kind, stored):
    assert stored_ballot(value, kind=kind) == stored
