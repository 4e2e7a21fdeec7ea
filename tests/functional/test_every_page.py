"""Every page in light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from panels.models import ChangeRequest
from tests.functional.browsing import OpenPage
from tests.functional.looks import (
    NARROW,
    WIDE,
    barriers,
    faults_of_layout,
    keep_picture,
    set_scheme,
    shorten_tables,
)
from tests.functional.sample import Sample
from tests.functional.service import APPROVER, AUDITOR, MANAGER, VIEWER

Address: TypeAlias = Callable[[Sample], str]


def _to(name: str, query: str = "") -> Address:
    return lambda _: reverse(name) + query


def _of_run(kind: str, name: str = "evaluation:run", query: str = "") -> Address:
    return lambda sample: reverse(name, args=[getattr(sample, kind).pk]) + query


def _of_import(kind: str) -> Address:
    return lambda sample: reverse("evaluation:import", args=[getattr(sample, kind).pk])


def _of_panel(name: str, *numbers: int) -> Address:
    return lambda sample: reverse(name, args=[sample.panel.panel.slug, *numbers])


def _of_change(state: str) -> Address:
    return lambda _: reverse("panels:change", args=[ChangeRequest.objects.get(state=state).pk])


PAGES: dict[str, Address] = {
    "overview": _to("evaluation:overview"),
    "workflow": lambda _: reverse("evaluation:workflow", args=["sales-assistant"]),
    "workflow-edit": lambda _: reverse("evaluation:workflow-edit", args=["sales-assistant"]),
    "experiments": _to("evaluation:experiments"),
    "experiments-none": _to("evaluation:experiments", "?q=nothing+is+called+so"),
    "experiment-new": _to("evaluation:experiment-create"),
    "experiment-begun": lambda s: (
        reverse("evaluation:experiment-create")
        + f"?begun=1&title=Shorter&dataset_version={s.finished.experiment.dataset_version_id}&replies=live"
        + f"&panels={s.panel.pk}&concurrency=16&cap=1.5&reuse=on"
    ),
    "run-running": _of_run("running"),
    "run-queued": _of_run("queued"),
    "run-paused": _of_run("paused"),
    "run-cancelled": _of_run("cancelled"),
    "run-results": _of_run("finished"),
    "run-results-recorded": _of_run("replayed"),
    "run-items": _of_run("finished", "evaluation:run-items"),
    "run-items-lost": _of_run("finished", "evaluation:run-items", "?versus=lost"),
    "answer": _of_run("answer", "evaluation:answer"),
    "lineage": _of_run("answer", "evaluation:lineage"),
    "answer-disputed": _of_run("disputed", "evaluation:answer"),
    "datasets": _to("evaluation:datasets"),
    "dataset": lambda _: reverse("evaluation:dataset", args=["sales-assistant-sample"]),
    "dataset-recorded": lambda s: reverse("evaluation:dataset", args=[s.recorded.slug]),
    "upload": _to("evaluation:dataset-upload"),
    "import-draft": _of_import("draft"),
    "import-draft-csv": _of_import("csv_draft"),
    "import-waiting": _of_import("waiting"),
    "import-published": _of_import("published"),
    "import-failed": _of_import("failed"),
    "panels": _to("panels:panels"),
    "panel": _of_panel("panels:panel"),
    "panel-version": _of_panel("panels:version", 1),
    "panel-new": _to("panels:panel-create"),
    "panel-new-version": _of_panel("panels:version-create"),
    "changes": _to("panels:changes"),
    "changes-none": _to("panels:changes", "?q=nothing+is+called+so"),
    "change-applied": _of_change("applied"),
    "change-rejected": _of_change("rejected"),
    "change-new": _of_panel("evaluation:change-create", 2),
    "models": _to("panels:models"),
    "model": lambda s: reverse("panels:model", args=[s.model.pk]),
    "model-new": _to("panels:model-create"),
    "model-edit": lambda s: reverse("panels:model-edit", args=[s.model.pk]),
    "providers": _to("panels:providers"),
    "provider-new": _to("panels:provider-create"),
    "monitoring": _to("evaluation:monitoring", "?span=24h"),
    "monitoring-nothing": _to("evaluation:monitoring", "?span=tomorrow&workflow=no-such"),
    "provider": lambda s: reverse("panels:provider", args=[s.model.provider.slug]),
    "contract-new": lambda s: reverse("panels:contract-record", args=[s.model.provider.slug]),
    "model-use": lambda s: reverse("panels:model-use", args=[s.model.pk]),
    "keys": _to("evaluation:keys"),
    "key-new": _to("evaluation:key-create"),
    "not-found": lambda _: "/datasets/there-is-none/",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound(name: str, open_page: OpenPage, sample: Sample) -> None:
    assert _look_at(open_page(MANAGER), PAGES[name](sample), name) == {}


def test_the_login_page_is_sound(open_page: OpenPage) -> None:
    assert _look_at(open_page(None), "/login/", "login") == {}


def test_the_audit_page_is_sound(open_page: OpenPage, sample: Sample) -> None:
    assert _look_at(open_page(AUDITOR), reverse("panels:audit") + "?verify=1", "audit") == {}


def test_the_page_of_a_refusal_is_sound(open_page: OpenPage) -> None:
    assert _look_at(open_page(VIEWER), reverse("evaluation:experiment-create"), "refused") == {}


def test_a_change_that_waits_is_sound_for_whoever_decides(open_page: OpenPage, sample: Sample) -> None:
    assert _look_at(open_page(APPROVER), _of_change("submitted")(sample), "change-waiting") == {}


def _look_at(page: Page, address: str, name: str) -> dict[str, list[str]]:
    """Loaded once for each width; the scheme changes under the open page, as at nightfall. Faults by width."""
    faults = {}
    for window in (WIDE, NARROW):
        width = str(window["width"])
        page.set_viewport_size(window)
        page.goto(address)
        set_scheme(page, "light")
        keep_picture(page, f"{name}-{width}-light")
        faults[width] = faults_of_layout(page)
        set_scheme(page, "dark")
        keep_picture(page, f"{name}-{width}-dark")
        shorten_tables(page)
        faults[f"{width}, dark"] = barriers(page, contrast_only=True)
        set_scheme(page, "light")
        faults[f"{width}, light"] = barriers(page)
    return {where: found for where, found in faults.items() if found}
