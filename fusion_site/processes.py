"""Child processes that live and die together with this one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

POLL_S = 0.1
GRACE_S = 15.0  # then a child that was asked to end is killed; the database keeps what it held
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """A signal asked for the end."""


class ChildDied(Exception):
    """A child ended that should have stayed. The message names it and how it ended."""


class NotReady(Exception):
    """What was waited for did not come in time."""


@dataclass(slots=True, kw_only=True)
class Family:
    """The children of one supervisor. Use it from the main thread only: the kernel ties them to the thread that
    started them. ``needed`` names those that the others still use while they end."""

    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    stop_signal: int | None = None

    def start(
        self, name: str, command: Sequence[str], *, stdout: IO[bytes] | None = None, needed: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own, so that Ctrl-C reaches the supervisor alone, which then ends all.

        One that is ``needed`` ends after the others.
        """
        child = subprocess.Popen(
            command,
            stdout=stdout,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the supervisor has one thread
        )
        self.children[name] = child
        if needed:
            self.needed.add(name)
        return child

    def run(self, name: str, command: Sequence[str], *, stdout: IO[bytes] | None = None) -> None:
        """Run a child to its end; raises ``ChildDied`` if it fails, ``Stopped``."""
        child = self.start(name, command, stdout=stdout)
        while child.poll() is None:
            self.check(ending=name)
            time.sleep(POLL_S)
        del self.children[name]
        if child.returncode:
            raise ChildDied(f"{name} {describe_exit(child.returncode)}")

    def check(self, *, ending: str | None = None) -> None:
        """Raise ``Stopped`` after a signal, ``ChildDied`` if a child other than ``ending`` has ended."""
        if self.stop_signal is not None:
            raise Stopped
        for name, child in self.children.items():
            if name != ending and child.poll() is not None:
                raise ChildDied(f"{name} {describe_exit(child.returncode)}")

    def wait_until(self, is_ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise NotReady(f"{what} did not answer within {seconds:.0f} seconds")
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Until a signal or a death; always raises."""
        while True:
            self.check()
            time.sleep(POLL_S)

    def end(self) -> None:
        """Ask every child to end, those that are needed last, and reap all."""
        end_together([child for name, child in self.children.items() if name not in self.needed])
        end_together([child for name, child in self.children.items() if name in self.needed])
        self.children.clear()


def end_together(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, kill what has not after ``GRACE_S``, and reap them."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        try:
            child.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def open_family() -> Iterator[Family]:
    """A family that ends with the block, however it is left. Stop signals are only noted, and met in ``check``."""
    family = Family()

    def note(number: int, _frame: FrameType | None) -> None:
        family.stop_signal = number

    before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
    try:
        yield family
    finally:
        family.end()
        for number, handler in before.items():
            signal.signal(number, handler)


def describe_exit(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def stop_with_parent() -> None:
    """Have the kernel ask this process to end when its parent is gone, however. Only Linux can."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it becomes its program: have the kernel kill it when its parent is gone, however.

    Only Linux can. The parent may die between fork and prctl; then the child has another parent by now and ends.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange
