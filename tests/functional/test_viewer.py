"""Who may only read sees every page, and no control that would change anything."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from evaluation.models import Run
from panels.models import LanguageModel
from tests.functional.sample import Sample
from tests.functional.test_every_page import PAGES

# What a viewer has no use for says so in place of the form.
FORMS = {
    "experiment-new", "experiment-begun", "panel-new", "panel-new-version", "model-new", "model-edit", "provider-new",
}  # fmt: skip
CLOSED = FORMS | {"not-found"}
_CHANGING = "#main form[method=post], #main [hx-post], #main a[href$='/new/'], #main a[href$='/upload/']"


def test_a_viewer_reads_every_page_and_changes_nothing(viewer: Page, sample: Sample) -> None:
    offered = {}
    for name in PAGES.keys() - CLOSED:
        viewer.goto(PAGES[name](sample))
        expect(viewer.get_by_role("heading", level=1)).to_be_visible()
        offered[name] = [control.get_attribute("href") or "form" for control in viewer.locator(_CHANGING).all()]
    assert {name: found for name, found in offered.items() if found} == {}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_is_closed_to_a_viewer(name: str, viewer: Page, sample: Sample) -> None:
    answer = viewer.goto(PAGES[name](sample))
    assert answer is not None
    assert answer.status == 403
    expect(viewer.get_by_text("Product managers can")).to_be_visible()


_SEND = """([address, token]) => fetch(address, {method: 'POST', headers: {'X-CSRFToken': token}})
  .then((answer) => answer.status)"""


def test_what_a_viewer_sends_all_the_same_is_refused(viewer: Page, sample: Sample) -> None:
    viewer.goto("/")
    token = viewer.locator("[name=csrfmiddlewaretoken]").first.get_attribute("value")
    run, panel = sample.paused.pk, sample.panel.panel.slug
    addresses = [
        *(f"/runs/{run}/{verb}/" for verb in ("pause", "resume", "cancel", "retry", "repeat")),
        "/experiments/new/",
        "/datasets/upload/",
        f"/datasets/imports/{sample.draft.pk}/",
        f"/datasets/imports/{sample.draft.pk}/discard/",
        "/panels/new/",
        f"/panels/{panel}/new-version/",
        "/models/new/",
        f"/models/{sample.model.pk}/retire/",
        "/models/providers/new/",
    ]
    answers = {address: viewer.evaluate(_SEND, [address, token]) for address in addresses}
    assert answers == dict.fromkeys(addresses, 403)
    assert Run.objects.get(pk=run).state == Run.State.PAUSED
    assert LanguageModel.objects.get(pk=sample.model.pk).retired_at is None
