"""What tests do with a page that Playwright has no word for."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import ConsoleMessage, Locator, Page

OpenPage = Callable[..., Page]


def watch_page(page: Page, faults: list[str]) -> None:
    """Notes what goes wrong in the browser: a script that throws, a file that is missing, a broken policy.

    An answer of 4xx that a test provokes is logged by the browser too; that line says nothing about the page.
    """

    def note(message: ConsoleMessage) -> None:
        provoked = "the server responded with a status of 4" in message.text
        if message.type in {"error", "warning"} and not provoked:
            faults.append(f"{page.url}: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))


def tab_to(page: Page, target: Locator, *, most: int = 120) -> None:
    """Goes there as somebody without a mouse does; fails where the Tab key does not lead to it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{most} tabs did not reach {target}")


def tab_and_type(page: Page, target: Locator, text: str) -> None:
    tab_to(page, target)
    page.keyboard.type(text)


def number_in(url: str, noun: str) -> int:
    """``noun`` is the part of the path before the number: runs, imports."""
    found = re.search(rf"/{noun}/(\d+)/", url)
    assert found, url
    return int(found[1])


# The main part as a person sees it: what a form control holds counts, not what the page once said it held.
_PICTURE = """() => {
  const main = document.querySelector('#main');
  const copy = main.cloneNode(true);
  const live = [...main.querySelectorAll('input, select, textarea')];
  copy.querySelectorAll('input, select, textarea').forEach((box, index) => {
    const one = live[index];
    box.setAttribute('data-holds', one.matches('[type=checkbox], [type=radio]') ? one.checked : one.value);
    ['value', 'checked'].forEach((name) => box.removeAttribute(name));
    box.querySelectorAll('option').forEach((option) => option.removeAttribute('selected'));
  });
  copy.querySelectorAll('[name=csrfmiddlewaretoken]').forEach((box) => box.remove());
  copy.querySelectorAll('.plot').forEach((plot) => plot.remove());
  copy.querySelectorAll('*').forEach((element) => {
    const passing = [...element.classList].filter((name) => name.startsWith('htmx-'));
    element.classList.remove(...passing);
    if (!element.className) element.removeAttribute('class');
    element.removeAttribute('tabindex');
    if (element.closest('[data-index]')) element.removeAttribute('aria-current');
  });
  return copy.outerHTML.replace(/>\\s+/g, '>').replace(/\\s+</g, '<').replace(/></g, '>\\n<');
}"""
_MOMENT = re.compile(
    r"\b(just now|(about )?\d+ (s|min|h)( \d+ (s|min))?( ago)?|less than a minute|a few seconds)"
    r"|[\d.,]+ per s|polls=\d+|Refreshed \d\d:\d\d"
)


def picture_of(page: Page) -> list[str]:
    """The lines of the main part, without what a moment later would read differently."""
    return _MOMENT.sub("a moment", page.evaluate(_PICTURE)).splitlines()


def assert_swap_equals_reload(page: Page) -> None:
    """The page put together from fragments is the page that its address gives."""
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert picture_of(page) == picture_of(fresh)
    fresh.close()
