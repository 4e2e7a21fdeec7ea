from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.functional.browsing import OpenPage
from tests.functional.looks import NARROW, draw_charts, set_scheme
from tests.functional.sample import Sample
from tests.functional.service import MANAGER

# Cost, latency, correlation; one of consensus and one of calibration for each panel of several models.
FINISHED_CHARTS = 7


@pytest.fixture
def results(manager: Page, sample: Sample) -> Page:
    manager.goto(f"/runs/{sample.finished.pk}/")
    draw_charts(manager)
    return manager


def test_every_chart_is_drawn_and_has_its_table(results: Page) -> None:
    charts = results.locator("figure.chart")
    expect(charts).to_have_count(FINISHED_CHARTS)
    for chart in charts.all():
        plot = chart.locator(".plot")
        expect(plot.locator("svg.main-svg").first).to_be_visible()
        assert plot.get_attribute("aria-label")
        chart.get_by_text("Show as table").press("Enter")
        expect(chart.locator("tbody tr").first).to_be_visible()


def test_charts_are_drawn_anew_in_the_colours_of_the_other_scheme(results: Page) -> None:
    set_scheme(results, "light")
    ticks = [plot.locator(".xtick text").first for plot in results.locator(".plot").all()]
    light = [tick.evaluate("text => getComputedStyle(text).fill") for tick in ticks]
    results.get_by_text("Show as table").first.click()
    set_scheme(results, "dark")
    for tick, ink in zip(ticks, light, strict=True):
        expect(tick).not_to_have_css("fill", ink)

    expect(results.locator("figure.chart svg.main-svg").first).to_be_visible()
    expect(results.locator("figure.chart details[open]")).to_have_count(1)


def test_charts_fit_a_window_that_becomes_narrow(results: Page) -> None:
    results.set_viewport_size(NARROW)
    draw_charts(results)
    plots = results.locator(".plot svg.main-svg")
    assert max(box["width"] for plot in plots.all() if (box := plot.bounding_box())) <= NARROW["width"]


def test_charts_outlive_a_swap_beside_them(results: Page) -> None:
    results.locator("#items").get_by_role("radio", name="Lost").check()
    results.wait_for_url("**versus=lost**")
    draw_charts(results)
    expect(results.locator("figure.chart .plot:has(svg.main-svg)")).to_have_count(FINISHED_CHARTS)


def test_without_scripts_the_tables_stand_for_the_charts(open_page: OpenPage, sample: Sample) -> None:
    page = open_page(MANAGER, java_script_enabled=False)
    page.goto(f"/runs/{sample.finished.pk}/")
    figure = page.locator("figure.chart").first
    figure.get_by_text("Show as table").click()
    expect(figure.locator("tbody tr").first).to_be_visible()
