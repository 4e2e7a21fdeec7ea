from __future__ import annotations

import json

import pytest

from panels.simulator.__main__ import main, read_arguments


def test_arguments_have_quiet_defaults():
    arguments = read_arguments([])
    assert (arguments.host, arguments.port, arguments.seed) == ("127.0.0.1", 8765, 0)
    assert (arguments.latency_ms, arguments.faults, arguments.answers) == (None, True, [])


def test_it_serves_what_it_was_told_to(monkeypatch, tmp_path, capsys):
    served: dict[str, object] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **settings: served.update(settings, app=app))
    answers = tmp_path / "support.jsonl"
    answers.write_text(json.dumps({"id": "1", "prompt": "Q", "reference": "a"}))
    arguments = ["--port", "9", "--latency-ms", "200", "--seed", "4", "--no-faults", "--answers", str(answers)]
    assert main(arguments) == 0
    assert (served["host"], served["port"], served["access_log"]) == ("127.0.0.1", 9, False)
    assert "http://127.0.0.1:9/v1" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "no example"])
def test_an_answer_file_that_cannot_be_read_stops_the_start(tmp_path, capsys, text):
    answers = tmp_path / "support.jsonl"
    if text:
        answers.write_text(text)
    assert main(["--answers", str(answers)]) == 2
    assert "support.jsonl" in capsys.readouterr().err
