from __future__ import annotations

import json

import pytest

from panels.simulator.__main__ import FAULTS_VARIABLE, main, read_arguments
from panels.simulator.app import Simulator
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.model import Fault, SimulatedModel


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.delenv(FAULTS_VARIABLE, raising=False)


def test_arguments_have_quiet_defaults():
    arguments = read_arguments([])
    assert (arguments.host, arguments.port, arguments.seed) == ("127.0.0.1", 8765, 0)
    assert (arguments.latency_ms, arguments.faults, arguments.answers) == (None, True, [])
    assert arguments.fault_rates is None


def test_it_serves_what_it_was_told_to(monkeypatch, tmp_path, capsys):
    served: dict[str, object] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **settings: served.update(settings, app=app))
    answers = tmp_path / "support.jsonl"
    answers.write_text(json.dumps({"id": "1", "prompt": "Q", "reference": "a"}))
    arguments = ["--port", "9", "--latency-ms", "200", "--seed", "4", "--no-faults", "--answers", str(answers)]
    assert main(arguments) == 0
    assert (served["host"], served["port"], served["access_log"]) == ("127.0.0.1", 9, False)
    assert "http://127.0.0.1:9/v1" in capsys.readouterr().err


def served_models(monkeypatch, *arguments: str) -> dict[str, SimulatedModel]:
    apps: list[Simulator] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **settings: apps.append(app))
    assert main(arguments) == 0
    return dict(apps[0]._chat._catalogue)


def test_faults_of_all_models_come_from_the_options_or_else_from_the_environment(monkeypatch):
    monkeypatch.setenv(FAULTS_VARIABLE, "empty=0.5")
    told = served_models(monkeypatch, "--fault", "reset=0.02", "--fault", "rate_limited=0.1")
    assert told["sim-atlas-large"].faults == {Fault.RESET: 0.02, Fault.RATE_LIMITED: 0.1}
    assert served_models(monkeypatch)["sim-atlas-large"].faults == {Fault.EMPTY: 0.5}
    monkeypatch.delenv(FAULTS_VARIABLE)
    assert served_models(monkeypatch) == CATALOGUE


def test_a_rate_that_cannot_be_used_stops_the_start(capsys):
    assert main(["--fault", "rain=0.1"]) == 2
    assert "'rain=0.1' names no fault" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "no example"])
def test_an_answer_file_that_cannot_be_read_stops_the_start(tmp_path, capsys, text):
    answers = tmp_path / "support.jsonl"
    if text:
        answers.write_text(text)
    assert main(["--answers", str(answers)]) == 2
    assert "support.jsonl" in capsys.readouterr().err
