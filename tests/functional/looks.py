"""What has to hold of the look of every page, in either scheme and at any width."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import DEFAULT_OPTIONS, Axe
from playwright.sync_api import Page, ViewportSize, expect

WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
# A folder for pictures of all pages, where one is wanted.
SCREENSHOTS = os.environ.get("QUORUM_SCREENSHOTS")
_axe = Axe()

_TOO_WIDE = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return [];
  const sticks = (box) => box.getBoundingClientRect().right > page.clientWidth + 1;
  return [...document.querySelectorAll('body *')].filter(sticks).map((box) => box.outerHTML.slice(0, 120)).slice(0, 5);
}"""
_CUT_TABLES = """() => [...document.querySelectorAll('.tbl-wrap')]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
  .map((box) => `${box.getAttribute('aria-label')}: ${box.scrollWidth} in ${box.clientWidth}`)"""
# Words of letters alone; ids and numbers may be broken where nothing else helps.
_BROKEN_WORDS = """() => {
  const broken = new Set();
  const walker = document.createTreeWalker(document.querySelector('#main'), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.checkVisibility() || node.parentElement.closest('.vh, .plot, .id, pre, textarea')) continue;
    for (const word of node.data.matchAll(/(?<![^\\s(])[A-Za-z]{2,16}(?![^\\s.,:;)])/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (tops.size > 1) broken.add(`${word[0]} in "${node.data.trim().slice(0, 60)}"`);
    }
  }
  return [...broken];
}"""


# Rows of a table are alike; axe need not read all fifty.
_SHORTEN_TABLES = """() => document.querySelectorAll('tbody').forEach((rows) => {
  [...rows.children].slice(6).forEach((row) => row.remove());
})"""
# The one rule of axe whose verdict hangs on the colours.
_CONTRAST_ONLY = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}


def faults_of_layout(page: Page) -> list[str]:
    """Wider than the window, cut off, broken in the middle of a word."""
    faults = [f"wider than the window: {part}" for part in page.evaluate(_TOO_WIDE)]
    faults += [f"a word is broken: {word}" for word in page.evaluate(_BROKEN_WORDS)]
    if (page.viewport_size or WIDE)["width"] >= WIDE["width"]:
        faults += [f"a table is cut off: {table}" for table in page.evaluate(_CUT_TABLES)]
    return faults


def shorten_tables(page: Page) -> None:
    page.evaluate(_SHORTEN_TABLES)


def barriers(page: Page, *, contrast_only: bool = False) -> list[str]:
    """What axe calls serious or critical: hard to read, or of no use without eyes or hands."""
    found = _axe.run(page, options=_CONTRAST_ONLY if contrast_only else DEFAULT_OPTIONS).response["violations"]
    return [
        f"axe {one['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:4]
    ]


def set_scheme(page: Page, scheme: Literal["light", "dark"]) -> None:
    # Without motion: a colour that is still on its way would be judged half-way.
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    draw_charts(page)


def draw_charts(page: Page) -> None:
    """Waits until every chart is drawn for the width it has."""
    for plot in page.locator("[data-chart]").all():
        expect(plot).to_have_attribute("data-drawn", str(plot.evaluate("plot => plot.clientWidth")))


def keep_picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)
