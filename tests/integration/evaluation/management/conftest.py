from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evaluation.management.commands import ask_panel
from tests.integration.evaluation.live_questions import make_helpdesk
from tests.integration.evaluation.management.asked_panels import AskedDesk, Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys=capsys)


@pytest.fixture
def open_desk(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AskedDesk]:
    """A panel whose models answer by script, as ``make_helpdesk`` makes it, for the command to ask."""

    def opened(**says: Any) -> AskedDesk:
        desk = make_helpdesk(**says)
        monkeypatch.setattr(ask_panel, "_clients_for", desk.clients_for)
        return AskedDesk(desk=desk, shell=shell)

    return opened
