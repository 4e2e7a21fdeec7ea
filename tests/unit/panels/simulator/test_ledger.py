from __future__ import annotations

from panels.simulator.ledger import LATEST, Entry, Ledger


def test_counts_last_and_details_are_bounded():
    ledger = Ledger()
    for number in range(LATEST + 5):
        ledger.record(Entry(model="sim-x", outcome="ok" if number else "hang", key=str(number)))
    told = ledger.as_json()
    assert told["counts"] == {"sim-x": {"hang": 1, "ok": LATEST + 4}}
    latest = told["latest"]
    assert isinstance(latest, list)
    assert (len(latest), latest[0]["key"], latest[-1]["key"]) == (LATEST, "5", str(LATEST + 4))


def test_the_most_requests_held_at_once_are_known_and_clearing_keeps_those_under_way():
    ledger = Ledger()
    for _ in range(3):
        ledger.enter()
    ledger.leave()
    assert (ledger.received, ledger.in_flight, ledger.peak_in_flight) == (3, 2, 3)
    ledger.clear()
    assert (ledger.received, ledger.in_flight, ledger.peak_in_flight) == (0, 2, 2)
