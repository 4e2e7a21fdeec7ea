from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.functional.looks import barriers
from tests.functional.sample import Sample


def test_a_key_is_made_shown_once_replaced_and_revoked(manager: Page, sample: Sample) -> None:
    manager.goto("/")
    manager.get_by_label("Account of").press("Enter")
    manager.get_by_role("link", name="API keys").click()
    manager.get_by_role("link", name="Make a key").first.click()
    manager.get_by_label("Name").fill("Sales desk")
    manager.get_by_label("Sales assistant").check()
    manager.get_by_role("button", name="Make the key").click()
    text = manager.locator("[data-secret]").inner_text()
    assert text.startswith("qk_")
    assert barriers(manager) == []

    manager.get_by_role("link", name="I have copied it").click()
    row = manager.get_by_role("row").filter(has_text="Sales desk")
    expect(row).to_contain_text("In use")
    assert text not in manager.content()

    row.get_by_role("link", name="Rotate").click()
    manager.get_by_label("The old key ends").select_option("In a day")
    manager.get_by_role("button", name="Rotate the key").click()
    assert manager.locator("[data-secret]").inner_text() != text

    manager.get_by_role("link", name="I have copied it").click()
    rows = manager.get_by_role("row").filter(has_text="Sales desk")
    expect(rows).to_have_count(2)
    rows.first.get_by_role("button", name="Revoke").click()
    manager.get_by_role("button", name="Revoke it").click()
    expect(rows.first).to_contain_text("Revoked")
