"""``manage.py ask_panel`` as a shell runs it: what it prints where, and its exit status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from evaluation.management.commands import ask_panel
from evaluation.models import Answer
from tests.integration.evaluation.live_questions import Helpdesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    status: object
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        return loaded

    @property
    def fusion(self) -> dict[str, Any]:
        found = self.json["fusion"]
        assert isinstance(found, dict)
        return found

    @property
    def answer(self) -> Answer:
        return Answer.objects.get(pk=self.fusion["x"]["answer_id"])

    @property
    def complaint(self) -> str:
        """The one line of a bad request."""
        assert (self.status, self.out) == (2, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("CommandError: ")
        return line.removeprefix("CommandError: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    capsys: pytest.CaptureFixture[str]

    def ask(self, *arguments: str) -> Printed:
        self.capsys.readouterr()
        status: object = 0
        try:
            ask_panel.Command().run_from_argv(["manage.py", "ask_panel", *arguments])
        except SystemExit as ended:
            status = ended.code
        printed = self.capsys.readouterr()
        return Printed(status=status, out=printed.out, err=printed.err)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDesk:
    """A helpdesk behind the command."""

    desk: Helpdesk
    shell: Shell

    def ask(self, *arguments: str, question: str = "Which?") -> Printed:
        return self.shell.ask(self.desk.version.panel.slug, question, *arguments)
