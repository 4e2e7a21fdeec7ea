from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from panels.models import PanelVersion
from tests.change_factories import make_applied, make_next_version
from tests.factories import make_model, make_panel_version, make_provider
from tests.simulator_server import serve_simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version():
    with serve_simulator(answer_key={}) as server:
        provider = make_provider(base_url=server.base_url)
        yield make_panel_version([[make_model(provider=provider, name="sim-atlas-small")]])


def ask(panel: str, **options: bool) -> str:
    out, err = StringIO(), StringIO()
    call_command("ask_panel", panel, "Which plan includes roaming?", stdout=out, stderr=err, **options)
    assert err.getvalue() == ""
    return out.getvalue()


def asked(panel: str) -> tuple[str, bool]:
    """Who answered, and whether it was a trial."""
    report = json.loads(ask(panel, json=True))
    return report["fusion"]["x"]["panel"], report["trial"]


def test_the_applied_version_answers_and_another_one_is_a_trial(version: PanelVersion) -> None:
    slug = version.panel.slug
    assert asked(slug) == (f"{slug}@1", True)
    assert ask(slug).splitlines()[-1].startswith(f"This is a trial: {slug}@1 is not the applied version")
    make_applied(version)
    make_next_version(version, max_cost_nanousd=900_000_000)
    assert [asked(slug), asked(f"{slug}@1"), asked(f"{slug}@2")] == [
        (f"{slug}@1", False), (f"{slug}@1", False), (f"{slug}@2", True),
    ]  # fmt: skip
    assert "This is a trial" not in ask(slug)


@pytest.mark.parametrize(("name", "said"), [("nobody", "There is no panel"), ("it@x", "names no version")])
def test_a_panel_that_is_not_there_is_named(version: PanelVersion, name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        ask(name)
