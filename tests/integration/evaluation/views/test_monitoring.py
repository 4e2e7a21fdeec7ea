from __future__ import annotations

import csv
import json
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from evaluation.charts.monitoring import STEP_CHARTS
from evaluation.execution.rollups import hour_of, mark_due, sweep_rollups
from evaluation.models import RollupState
from tests.factories import make_model, make_panel_version, make_provider
from tests.traffic_factories import make_busy_hour, make_call, make_live_answer, make_traffic_run

pytestmark = pytest.mark.django_db

PAGE = "/monitoring/"
TRAFFIC = {"HX-Request": "true", "HX-Target": "traffic"}


@pytest.fixture
def run(db):
    run = make_traffic_run(examples=8, stages=2)
    hour = hour_of(timezone.now())
    make_busy_hour(run, at=hour, seed=1)
    swept(hour)
    return run


def swept(*times) -> None:
    mark_due(times)
    sweep_rollups(now=timezone.now())


def soup_of(response):
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def text_of(client, query: str = "") -> str:
    return soup_of(client.get(f"{PAGE}?{query}")).find("main").get_text(" ", strip=True)


def rows_of(client, address: str) -> list[dict[str, str]]:
    content = b"".join(client.get(address).streaming_content).decode()
    return list(csv.DictReader(content.splitlines()))


def test_the_page_shows_figures_models_and_charts_each_with_its_table_and_export(viewer, run):
    page = soup_of(viewer.get(PAGE))
    tiles = [term.text for term in page.select(".tiles dt")]
    assert tiles[:3] == ["Latency P95", "Answers lost to failed calls", "Errors"]
    assert len(page.select("#h-models")) == 1
    assert len(page.select("[aria-label='Models table'] tbody tr")) == 5
    charts = page.select("figure.chart")
    assert {chart["id"] for chart in charts} == set(STEP_CHARTS) - {"overturned"}
    for chart in charts:
        assert chart.select("tbody tr")
        assert viewer.get(PAGE + chart.select_one(".actions a")["href"].removeprefix(PAGE)).status_code == 200
    assert page.select_one(".site-nav [aria-current=page]").text == "Monitoring"
    assert page.select_one(".sample-flag").text == "Simulated providers"


def test_what_there_is_no_chart_for_says_why(viewer, run):
    assert "No arbiter was asked." in text_of(viewer)


def test_the_fragment_is_the_part_of_the_page(viewer, run):
    query = f"?span=24h&workflow={run.experiment.workflow.slug}"
    whole = soup_of(viewer.get(PAGE + query)).find(id="traffic")
    response = viewer.get(PAGE + query, headers=TRAFFIC)
    part = soup_of(response)
    assert part.find("html") is None
    assert str(part.find(id="traffic")) == str(whole)
    assert whole["hx-get"] == PAGE + query
    assert whole["hx-trigger"] == "every 60s"
    assert "HX-Target" in response["Vary"]


def test_a_filter_stands_in_the_address_and_in_the_exports(viewer, run):
    arm = run.experiment.arms.get(is_baseline=True)
    page = soup_of(viewer.get(f"{PAGE}?arm={arm.pk}&span=24h"))
    assert page.select_one("select[name=arm] option[selected]")["value"] == str(arm.pk)
    assert page.select_one("input[name=span][checked]")["value"] == "24h"
    assert "n 8" in page.select_one(".tiles").get_text(" ", strip=True)
    links = [link["href"] for link in page.select("#traffic a[href*='.csv']")]
    assert len(links) == len(page.select("figure.chart")) + 1
    assert all(link.endswith(f"?arm={arm.pk}&span=24h") for link in links)


def test_unknown_values_are_said_on_a_whole_page(viewer, run):
    text = text_of(viewer, "span=1y&workflow=no-such&version=0&arm=x&provider=%00&model=99999999999999999999")
    assert "There is no time range “1y”; this is the one of 7d." in text
    assert "There is no workflow “no-such”; this is of all." in text
    assert "There is no arm “x”; this is of all." in text
    assert "Latency P95" in text


def test_the_page_takes_few_queries(viewer, run, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        assert viewer.get(f"{PAGE}?span=90d&workflow={run.experiment.workflow.slug}").status_code == 200


def test_before_any_traffic_it_says_what_would_be_here(viewer):
    text = text_of(viewer)
    assert "No traffic yet" in text
    assert "Latency P95" not in text


def test_where_nothing_fits_the_filters_can_be_cleared(viewer, run):
    page = soup_of(viewer.get(f"{PAGE}?model={make_model().pk}&version={make_panel_version([[make_model()]]).pk}"))
    assert "No traffic here" in page.get_text()
    assert page.select_one(".blank a")["href"] == PAGE


def test_a_choice_among_calls_says_what_it_does_not_apply_to(viewer, run):
    model = run.experiment.arms.get(is_baseline=True).panel_version.members.get().model
    assert "The choice of a model is one among calls" in text_of(viewer, f"model={model.pk}")
    assert "one among calls" not in text_of(viewer)


def test_the_last_step_is_not_over_and_the_time_zone_is_said(viewer, run):
    with timezone.override("Asia/Tokyo"):
        text = text_of(viewer, "span=24h")
    last = hour_of(timezone.now()) + timedelta(hours=9)
    assert f"The last step, from {last.day} {last:%b %H:%M} on, is not over" in text
    assert "JST until now; steps begin at full hours in UTC" in text
    assert "steps are days in UTC" in text_of(viewer, "span=30d")


def test_stale_figures_say_so(viewer, run):
    assert "not up to date" not in text_of(viewer)
    mark_due([timezone.now()])
    assert "1 hour being counted" in text_of(viewer)
    RollupState.objects.update(swept_at=timezone.now() - timedelta(hours=2))
    text = text_of(viewer)
    assert "These figures are not up to date. 1 hour of traffic" in text
    assert "All was counted last 2 h ago" in text
    RollupState.objects.all().delete()
    assert "It has never all been counted." in text_of(viewer)


def test_unknown_prices_are_unknown_and_never_nothing(viewer):
    version = make_panel_version([[make_model(provider=make_provider(kind="openai"))]])
    answer = make_live_answer(version, at=timezone.now(), cost_nanousd=None, correct=None)
    make_call(answer, version.members.get().model, cost_nanousd=None, spent_nanousd=None)
    swept(timezone.now())
    page = soup_of(viewer.get(PAGE))
    tiles = {tile.dt.text: tile.dd.get_text(" ", strip=True) for tile in page.select(".tiles > div")}
    assert tiles["Cost per request"].startswith("unknown list price, n 0; 1 of unknown price left out")
    assert tiles["Cost per correct answer"].startswith("not scored")
    assert tiles["Spend"] == "unknown 1 of 1 calls of unknown cost"
    assert not page.select(".sample-flag, .tag.simulated")


def test_simulated_traffic_is_labelled(viewer, run):
    page = soup_of(viewer.get(PAGE))
    assert "Part of this traffic went to simulated providers" in page.get_text()
    assert len(page.select("[aria-label='Models table'] .tag.simulated")) == 5


@pytest.mark.parametrize("name", STEP_CHARTS)
def test_the_table_of_every_chart_is_exported_with_plain_numbers(name, viewer, run):
    rows = rows_of(viewer, f"{PAGE}{name}.csv?span=24h")
    assert len(rows) == 24
    assert tuple(rows[0]) == STEP_CHARTS[name].keys
    assert rows[-1]["starts_at"] == hour_of(timezone.now()).isoformat()


def test_the_models_are_exported_too(viewer, run):
    assert sum(int(row["calls"]) for row in rows_of(viewer, f"{PAGE}models.csv")) == 40
    lines = b"".join(viewer.get(f"{PAGE}models.jsonl").streaming_content).splitlines()
    assert {json.loads(line)["role"] for line in lines} == {"member"}


@pytest.mark.parametrize("address", ["nothing.csv", "latency.xlsx"])
def test_what_cannot_be_exported_is_not_found(address, viewer):
    assert viewer.get(PAGE + address).status_code == 404
