from __future__ import annotations

from playwright.sync_api import Page, expect

from panels.models import PanelVersion
from panels.selectors.models import full_name
from tests.factories import make_model


def test_a_panel_is_made_row_by_row_with_the_keyboard(manager: Page) -> None:
    models = [make_model() for _ in range(4)]
    manager.goto("/panels/new/")
    manager.get_by_label("Name").fill("Typed")
    for row in range(3):
        manager.locator(f"[name=stage0-{row}-model]").fill(full_name(models[row]))
    manager.get_by_role("button", name="Add a member to stage 1").press("Enter")
    fresh = manager.locator("[name=stage0-3-model]")
    expect(fresh).to_be_focused()
    fresh.fill(full_name(models[3]))
    manager.get_by_role("button", name="Remove member 1 of stage 1").press("Enter")
    expect(fresh).to_have_count(0)
    manager.locator("[name=stage0-0-weight]").fill("-1")
    manager.locator("[name=stage0-0-weight]").press("Enter")
    wrong = manager.locator("[name=stage0-0-weight][aria-invalid=true]")
    expect(wrong).to_be_focused()
    wrong.fill("1")
    wrong.press("Enter")
    manager.wait_for_url("**/panels/typed/v1/")

    names = PanelVersion.objects.get(panel__slug="typed").members.order_by("seat").values_list("model__name", flat=True)
    assert list(names) == [model.name for model in models[1:]]
