"""The checks that every page has to pass find what they are for."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.functional.looks import NARROW, WIDE, barriers, faults_of_layout
from tests.functional.service import Service

_WIDE_TABLE = '<div class="tbl-wrap"><table><tr>' + "<td>onelongword</td>" * 60 + "</tr></table></div>"
_FAULTS = {
    "a word is broken": '<p class="wrap-any broken">breaking</p>',
    "a table is cut off": _WIDE_TABLE,
    "wider than the window": _WIDE_TABLE.replace("tbl-wrap", "bare"),
}
_SPOIL = """(html) => {
  document.querySelector('#main').innerHTML = html;
  document.querySelectorAll('.broken').forEach((one) => { one.style.width = '2em'; });
}"""


def test_a_fault_of_the_layout_is_found(manager: Page) -> None:
    for window in (WIDE, NARROW):
        manager.set_viewport_size(window)
        manager.goto("/")
        assert faults_of_layout(manager) == []
    manager.set_viewport_size(WIDE)
    for kind, html in _FAULTS.items():
        manager.evaluate(_SPOIL, html)
        assert [fault for fault in faults_of_layout(manager) if fault.startswith(kind)], kind


def test_what_cannot_be_read_or_used_is_found(manager: Page) -> None:
    manager.goto("/")
    manager.evaluate(_SPOIL, '<p class="pale">Hardly there</p><img src="/static/favicon.svg">')
    manager.evaluate("document.querySelector('.pale').style.color = '#eee'")
    assert {fault.split(":")[0] for fault in barriers(manager)} >= {"axe color-contrast", "axe image-alt"}


def test_a_broken_policy_reaches_the_service(new_context, service: Service) -> None:
    page = new_context(base_url=service.url).new_page()
    page.goto("/login/")
    service.reported.clear()
    page.evaluate("""() => document.body.insertAdjacentHTML('beforeend', '<p style="color: red">Red</p>')""")
    assert service.reported.wait(20)
