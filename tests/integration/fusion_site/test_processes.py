from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fusion_site.processes import ChildDied, NotReady, Stopped, open_family

pytestmark = pytest.mark.processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
SLOW_TO_END = """
import pathlib, signal, sys, time
ready, order, name = sys.argv[1:]
def note(what):
    with open(order, "a") as lines:
        lines.write(f"{name} {what}\\n")
def end(*_):
    note("asked")
    time.sleep(0.2)
    note("ended")
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(ready).touch()
time.sleep(60)
"""
MAKE = "import subprocess, sys; subprocess.run(sys.argv[1:])"
STARTED_BY_MAKE = """
import os, sys
from fusion_site.processes import Stopped, open_family, stop_with_parent
stop_with_parent()
with open_family() as family:
    child = family.start("child", [sys.executable, "-c", "import time; time.sleep(60)"])
    print(os.getpid(), child.pid, flush=True)
    try:
        family.watch()
    except Stopped:
        sys.exit(0)
"""
SUPERVISOR = """
import sys
from fusion_site.processes import ChildDied, Stopped, open_family
with open_family() as family:
    pids = [family.start(f"child {n}", [sys.executable, "-c", "import time; time.sleep(60)"]).pid for n in range(3)]
    print(*pids, flush=True)
    try:
        family.watch()
    except Stopped:
        sys.exit(0)
    except ChildDied as error:
        sys.exit(str(error))
"""


def is_alive(pid: int) -> bool:
    """A zombie is not alive: whoever inherited it has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 15.0) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture
def supervisor():
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    children = [int(word) for word in process.stdout.readline().split()]
    yield process, children
    process.kill()
    process.communicate()
    assert wait_until_gone(children) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all(supervisor, number):
    process, children = supervisor

    process.send_signal(number)

    assert process.wait(timeout=15) == 0
    assert wait_until_gone(children) == []


def test_the_death_of_one_ends_all_and_is_named(supervisor):
    process, children = supervisor

    os.kill(children[1], signal.SIGKILL)

    assert process.wait(timeout=15) == 1
    assert process.stderr.read().strip() == "child 1 was ended by SIGKILL"
    assert wait_until_gone(children) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a child with its parent")
def test_no_child_outlives_a_supervisor_that_was_killed(supervisor):
    process, children = supervisor

    process.kill()
    process.wait(timeout=15)

    assert wait_until_gone(children) == []


def test_a_child_that_does_not_end_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr("fusion_site.processes.GRACE_S", 0.2)
    ready = tmp_path / "ready"

    with open_family() as family:
        child = family.start("stubborn", [sys.executable, "-c", STUBBORN, str(ready)])
        family.wait_until(ready.exists, what="stubborn", seconds=15)

    assert child.returncode == -signal.SIGKILL


def test_what_the_others_need_ends_after_them(tmp_path):
    ready, order = tmp_path / "ready", tmp_path / "order"
    slow = [sys.executable, "-c", SLOW_TO_END, str(ready), str(order), "worker"]

    with open_family() as family:
        needed = [sys.executable, "-c", SLOW_TO_END, str(tmp_path / "up"), str(order), "providers"]
        family.start("the providers", needed, needed=True)
        family.start("the worker", slow)
        family.wait_until((tmp_path / "up").exists, what="the providers", seconds=15)
        family.wait_until(ready.exists, what="the worker", seconds=15)

    assert order.read_text().split() == [
        "worker",
        "asked",
        "worker",
        "ended",
        "providers",
        "asked",
        "providers",
        "ended",
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of it")
def test_it_ends_when_the_make_that_started_it_is_killed(tmp_path):
    program = [sys.executable, "-c", STARTED_BY_MAKE]
    make = subprocess.Popen([sys.executable, "-c", MAKE, *program], stdout=subprocess.PIPE, text=True)
    assert make.stdout is not None
    pids = [int(word) for word in make.stdout.readline().split()]

    make.kill()
    make.communicate()

    assert len(pids) == 2
    assert wait_until_gone(pids) == []


def test_a_step_that_fails_is_named():
    with open_family() as family, pytest.raises(ChildDied, match="migrate ended with exit code 3"):
        family.run("migrate", [sys.executable, "-c", "raise SystemExit(3)"])


def test_a_step_that_ends_well_is_forgotten():
    with open_family() as family:
        family.run("migrate", [sys.executable, "-c", ""])
        family.check()


def test_the_death_of_a_child_interrupts_a_step():
    with open_family() as family:
        family.start("the simulated providers", [sys.executable, "-c", ""])
        with pytest.raises(ChildDied, match="the simulated providers ended with exit code 0"):
            family.run("migrate", SLEEP)


def test_a_signal_interrupts_a_step():
    with open_family() as family:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            family.run("migrate", SLEEP)


def test_what_never_answers_is_named():
    with open_family() as family, pytest.raises(NotReady, match="the login page did not answer within 0 seconds"):
        family.wait_until(lambda: False, what="the login page", seconds=0)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with open_family():
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before
