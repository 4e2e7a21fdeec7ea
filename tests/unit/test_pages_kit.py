"""Stylesheets, scripts and shared templates against each other: what one names, another must have."""

import re
from itertools import chain
from pathlib import Path

import plotly
import pytest

from fusion_site.lib import chart

ROOT = Path(__file__).parents[2]
STYLES = sorted((ROOT / "static/css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static/js").glob("*.js"))
TEMPLATES = sorted(chain((ROOT / "templates").rglob("*.html")))
SPRITE = (ROOT / "templates/_sprite.html").read_text()
PLOTLY_MAPS = re.compile(r'getElementById\("([0-9a-f]{40,})"\)\)\{var e=document\.createElement\("style"\)')


def named(path):
    return str(path.relative_to(ROOT))


def tokens():
    return set(re.findall(r"(--[a-z0-9-]+)\s*:", (ROOT / "static/css/tokens.css").read_text()))


@pytest.mark.parametrize("path", STYLES, ids=named)
def test_a_stylesheet_uses_only_tokens_that_exist(path):
    text = path.read_text()
    local = set(re.findall(r"(--[a-z0-9-]+)\s*:", text))
    assert set(re.findall(r"var\((--[a-z0-9-]+)", text)) <= tokens() | local | {"--st", "--st-soft"}


@pytest.mark.parametrize("path", STYLES, ids=named)
def test_a_stylesheet_is_linked_and_fetches_nothing(path):
    assert f"css/{path.name}'" in (ROOT / "templates/_styles.html").read_text()
    assert not re.search(r"@import|url\((?!#)", path.read_text())


@pytest.mark.parametrize("path", [*STYLES, *SCRIPTS], ids=named)
def test_a_file_that_the_browser_reads_stays_short(path):
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_needs_nothing_that_the_content_policy_forbids(path):
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|setAttribute\('style'", path.read_text())


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_template_has_no_inline_style_script_or_handler(path):
    text = path.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|hx-on|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_template_names_only_icons_and_markers_that_are_drawn(path):
    text = path.read_text()
    wanted = {f"i-{name}" for name in re.findall(r'{% icon "([a-z-]+)"', text)}
    wanted |= {f"m-{name}" for name in re.findall(r'{% key "([a-z-]+)"', text)}
    wanted |= {f"i-{name}" for name in re.findall(r'\bmark="([a-z-]+)"', text)}
    wanted |= set(re.findall(r'href="#((?:i|m)-[a-z-]+)"', text))
    assert wanted <= set(re.findall(r'<symbol id="([^"]+)"', SPRITE))


def test_every_state_and_series_has_its_shape():
    shapes = set(re.findall(r'<symbol id="([^"]+)"', SPRITE))
    assert {"i-pass", "i-risk", "i-fail", "i-info", "i-none"} <= shapes
    looks = [chart.arm_look(place, is_baseline=False) for place in range(5)] + [chart.BASELINE]
    assert {f"m-{look.key}" for look in looks} <= shapes
    assert {look.color for look in looks} | {look.text_color for look in looks} <= tokens()


def test_scripts_read_only_colours_that_exist():
    used = set(re.findall(r"'(--[a-z0-9-]+)'", (ROOT / "static/js/charts.js").read_text()))
    assert used
    assert used <= tokens()


def test_the_charts_page_answers_for_the_map_styles_of_the_installed_plotly():
    code = (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_text()
    assert re.findall(r'<meta id="([0-9a-f]+)"', (ROOT / "templates/_plotly.html").read_text()) == PLOTLY_MAPS.findall(
        code
    )


def test_plotly_finds_its_stylesheet():
    code = (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_text()
    assert '"plotly.js-style-"+' in code
    assert 'id="plotly.js-style-global"' in (ROOT / "templates/_styles.html").read_text()
