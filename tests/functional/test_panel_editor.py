from playwright.sync_api import Page, expect

from panels.models import PanelVersion
from panels.selectors.models import full_name
from tests.factories import make_model


def test_a_panel_is_made_row_by_row_with_the_keyboard(signed_in: Page, live_server):
    models = [make_model() for _ in range(4)]
    signed_in.goto(f"{live_server.url}/panels/new/")
    signed_in.get_by_label("Name").fill("Typed")
    for row in range(3):
        signed_in.locator(f"[name=stage0-{row}-model]").fill(full_name(models[row]))
    signed_in.get_by_role("button", name="Add a member to stage 1").press("Enter")
    fresh = signed_in.locator("[name=stage0-3-model]")
    expect(fresh).to_be_focused()
    fresh.fill(full_name(models[3]))
    signed_in.get_by_role("button", name="Remove member 1 of stage 1").press("Enter")
    expect(fresh).to_have_count(0)
    signed_in.locator("[name=stage0-0-weight]").fill("-1")
    signed_in.locator("[name=stage0-0-weight]").press("Enter")
    wrong = signed_in.locator("[name=stage0-0-weight][aria-invalid=true]")
    expect(wrong).to_be_focused()
    wrong.fill("1")
    wrong.press("Enter")
    signed_in.wait_for_url("**/panels/typed/v1/")
    names = PanelVersion.objects.get().members.order_by("seat").values_list("model__name", flat=True)
    assert list(names) == [model.name for model in models[1:]]
