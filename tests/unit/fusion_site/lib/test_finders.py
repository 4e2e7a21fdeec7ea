from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders

from fusion_site.lib.finders import PlotlyFinder


def test_the_script_is_found_where_the_package_keeps_it():
    found = Path(finders.find("vendor/plotly.min.js") or "missing")

    assert found.parent.parent.name == "plotly"
    assert found.stat().st_size > 1_000_000


def test_nothing_else_of_the_package_is_served():
    finder = PlotlyFinder()

    assert finder.find("vendor/../package_data/templates/plotly.json") == []
    assert finder.find("plotly.min.js", find_all=True) == []
    assert [path for path, _storage in finder.list(None)] == ["plotly.min.js"]
