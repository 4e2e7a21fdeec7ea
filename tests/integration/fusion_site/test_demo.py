from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from fusion_site import demo
from fusion_site.lib.env import load_env

pytestmark = pytest.mark.processes

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in {"/login/", "/v1/models"} else 404)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
IDLE = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def ports(monkeypatch, tmp_path):
    """Two free ports, in the environment; what the demo changes of the process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.setenv("QUORUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUORUM_LOG_LEVEL", "WARNING")
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        web, simulator = first.getsockname()[1], second.getsockname()[1]
    monkeypatch.setenv("QUORUM_PORT", str(web))
    monkeypatch.setenv("QUORUM_SIMULATOR_PORT", str(simulator))
    return web, simulator


@pytest.fixture
def stand_ins(monkeypatch, ports):
    """Small programs in place of the real ones, so that a test sees the supervisor alone."""
    web, simulator = ports
    monkeypatch.setattr(demo, "manage", lambda *names: [sys.executable, "-c", f"print('ran {names[0]}')"])
    monkeypatch.setattr(demo, "web_command", lambda _: [sys.executable, "-c", SERVER, str(web)])
    monkeypatch.setattr(demo, "simulator_command", lambda _: [sys.executable, "-c", SERVER, str(simulator)])
    monkeypatch.setattr(demo, "celery_command", lambda *_: IDLE)


def when_said(monkeypatch, word, act):
    """Call ``act`` once ``word`` is printed."""
    say = demo.say

    def listen(text):
        say(text)
        if word in text:
            act()

    monkeypatch.setattr(demo, "say", listen)


@pytest.mark.usefixtures("stand_ins")
def test_it_prints_address_and_logins_and_stops_at_a_signal(monkeypatch, capsys, ports):
    when_said(monkeypatch, "is ready", lambda: signal.raise_signal(signal.SIGTERM))

    assert demo.main() == 0

    printed = capsys.readouterr().out
    assert f"Quorum is ready at http://127.0.0.1:{ports[0]}/\nran load_sample_pilot\n" in printed
    assert printed.endswith("Stopping.\n")
    assert not demo.answers(f"http://127.0.0.1:{ports[0]}/login/")


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("by_make", [True, False])
def test_it_goes_with_the_make_that_started_it_and_with_no_shell(monkeypatch, by_make):
    ties = []
    monkeypatch.setattr(demo, "stop_with_parent", lambda: ties.append("tied"))
    if by_make:
        monkeypatch.setenv("MAKELEVEL", "1")
    when_said(monkeypatch, "Preparing", lambda: signal.raise_signal(signal.SIGTERM))

    assert demo.main() == 0
    assert ties == (["tied"] if by_make else [])


@pytest.mark.usefixtures("stand_ins")
def test_it_stops_during_the_preparation_too(monkeypatch, capsys):
    when_said(monkeypatch, "Loading the sample pilot", lambda: signal.raise_signal(signal.SIGINT))

    assert demo.main() == 0
    assert "is ready" not in capsys.readouterr().out


@pytest.mark.usefixtures("stand_ins")
def test_the_death_of_a_process_ends_it_and_is_named(monkeypatch, capsys):
    monkeypatch.setattr(demo, "celery_command", lambda *_: [sys.executable, "-c", "raise SystemExit(3)"])

    assert demo.main() == 1
    assert capsys.readouterr().err == "Quorum stops: the worker ended with exit code 3.\n"


@pytest.mark.usefixtures("stand_ins")
def test_a_failed_preparation_starts_nothing(monkeypatch, capsys, ports):
    monkeypatch.setattr(demo, "manage", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])

    assert demo.main() == 1
    assert "migrate ended with exit code 1" in capsys.readouterr().err
    assert not demo.answers(f"http://127.0.0.1:{ports[1]}/v1/models")


@pytest.mark.parametrize(("place", "variable"), [(0, "QUORUM_PORT"), (1, "QUORUM_SIMULATOR_PORT")])
def test_a_port_that_is_taken_is_named_with_its_variable(capsys, ports, place, variable):
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[place]))
        other.listen()

        assert demo.main() == 2

    message = capsys.readouterr().err
    assert f"Port {ports[place]} cannot be used" in message
    assert f"Set {variable} to a free port" in message


def test_a_bad_variable_stops_the_start(monkeypatch, capsys, ports):
    monkeypatch.setenv("QUORUM_PORT", "many")

    assert demo.main() == 2
    assert "QUORUM_PORT cannot be used" in capsys.readouterr().err


def test_the_commands_name_this_python_and_the_ports(monkeypatch, ports):
    env = load_env()

    assert demo.manage("migrate")[0] == demo.web_command(env)[0] == demo.celery_command("beat")[0] == sys.executable
    assert f"--port={ports[0]}" in demo.web_command(env)
    assert f"--port={ports[1]}" in demo.simulator_command(env)
    assert all(os.path.exists(key) for key in demo.simulator_command(env) if key.endswith(".jsonl"))
