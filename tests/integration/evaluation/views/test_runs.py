from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse
from django.utils import timezone

from evaluation.models import ArmProgress, Lease, Run, RunResult
from panels.selectors.audit import audit_head
from tests.factories import make_dataset_version, make_experiment, make_model, make_panel_version, make_run
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db
LIVE = {"HX-Request": "true", "HX-Target": "live"}
ITEMS = {"HX-Request": "true", "HX-Target": "items"}


def make_open_run(state: str = Run.State.RUNNING, **fields) -> Run:
    model = make_model()
    panels = [make_panel_version([[model]]), make_panel_version([[model, make_model()]])]
    experiment = make_experiment(panels, version=make_dataset_version(examples=10))
    return make_run(experiment, state=state, **({"created_at": timezone.now()} | fields))


def soup_of(response):
    return BeautifulSoup(response.content, "html.parser")


def page_of(client, run: Run, path: str = "", **options):
    return soup_of(client.get(f"/runs/{run.pk}/{path}", **options))


def polls(fragment) -> bool:
    return fragment.has_attr("hx-trigger") or fragment.find(attrs={"hx-trigger": True}) is not None


# While it runs


def test_the_running_page_shows_progress_money_and_errors(manager):
    now = timezone.now()
    run = make_open_run(
        cap_nanousd=5_000_000_000, spent_nanousd=1_250_000_000, reserved_nanousd=500_000_000, lost_nanousd=1_000_000,
        active_s=10.0, resumed_at=now - timedelta(seconds=10),
    )  # fmt: skip
    ArmProgress.objects.filter(run=run, arm__is_baseline=True).update(
        done=6, scored=6, correct=3, calls=6, failed=1, errors={"timeout": 2, "rate_limited": 5}
    )
    Lease.objects.create(
        run=run, token="6" * 32, worker="w", slots=3, created_at=now, expires_at=now + timedelta(minutes=1)
    )
    # Only now, so that the rows above do not count as work.
    Run.objects.filter(pk=run.pk).update(resumed_at=timezone.now() - timedelta(seconds=10))
    text = page_of(manager, run).get_text(" ", strip=True)
    assert "6 of 20 answers, 30 %" in text
    assert "$1.25 cap $5.00, $0.50 reserved" in text
    assert "Outcome unknown" in text
    assert re.search(r"Rate limited 5 Timed out 2", text)
    assert "1 3 of 4 calls at once" in text
    assert "about 45 s left" in text
    assert "50.0" in text


def test_a_running_fragment_polls_and_a_final_one_does_not(manager):
    run = make_open_run()
    assert page_of(manager, run).find(id="live")["hx-trigger"] == "every 2s"
    for state in (Run.State.FINISHED, Run.State.CANCELLED):
        ended = make_finished_run("RR", "RW").run
        Run.objects.filter(pk=ended.pk).update(state=state)
        response = manager.get(f"/runs/{ended.pk}/?seen=running", headers=LIVE)
        assert not polls(soup_of(response).find(id="live"))
        assert response["HX-Refresh"] == "true"


def test_the_fragment_is_what_a_reload_shows(manager):
    run = make_open_run(active_s=4.0)
    fragment = manager.get(f"/runs/{run.pk}/?seen=running", headers=LIVE)
    assert "HX-Refresh" not in fragment
    page = page_of(manager, run)
    page.find(id="live").replace_with(soup_of(fragment).find(id="live"))
    assert str(page.find(id="live")) == str(page_of(manager, run).find(id="live"))
    assert len(soup_of(fragment).find_all("html")) == 0


def test_a_poll_after_the_state_changed_loads_the_page_anew(manager):
    run = make_open_run(Run.State.PAUSED)
    response = manager.get(f"/runs/{run.pk}/?seen=running", headers=LIVE)
    assert response["HX-Refresh"] == "true"


def test_a_finished_run_whose_result_is_still_computed_waits_for_it(manager):
    run = make_open_run(Run.State.FINISHED, finished_at=timezone.now())
    page = page_of(manager, run)
    assert "The result is being computed" in page.get_text()
    assert polls(page.find(id="live"))


@pytest.mark.parametrize(("seconds", "hinted"), [(5, False), (20, True)])
def test_a_queued_run_says_when_no_worker_takes_it(manager, seconds, hinted):
    run = make_open_run(Run.State.QUEUED, created_at=timezone.now() - timedelta(seconds=seconds))
    assert ("No worker has picked this run up" in page_of(manager, run).get_text()) is hinted


@pytest.mark.parametrize(("polls", "hinted"), [(0, False), (7, False), (8, True), ("x", False)])
def test_a_resumed_run_is_called_waiting_only_after_it_was_watched(manager, polls, hinted):
    long_ago = timezone.now() - timedelta(hours=1)
    run = make_open_run(Run.State.QUEUED, created_at=long_ago, started_at=long_ago)
    response = manager.get(f"/runs/{run.pk}/?seen=queued&polls={polls}", headers=LIVE)
    assert (b"No worker has picked this run up" in response.content) is hinted


def test_a_run_that_a_worker_holds_is_not_called_waiting(manager):
    now = timezone.now()
    run = make_open_run(Run.State.QUEUED, created_at=now - timedelta(minutes=5))
    Lease.objects.create(
        run=run, token="7" * 32, worker="w", slots=1, created_at=now, expires_at=now + timedelta(minutes=1)
    )
    assert "No worker has picked this run up" not in page_of(manager, run).get_text()


# What can be done with it


def actions(page: BeautifulSoup) -> set[str]:
    return {str(form["action"]).split("/")[-2] for form in page.select("main form[method=post]")}


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (Run.State.QUEUED, {"pause", "cancel"}),
        (Run.State.RUNNING, {"pause", "cancel"}),
        (Run.State.PAUSED, {"resume", "cancel"}),
        (Run.State.CAPPED, {"resume", "cancel"}),
        (Run.State.CANCELLED, {"repeat"}),
    ],
)
def test_only_what_fits_the_state_is_offered(manager, viewer, state, offered):
    run = make_open_run(state, cap_nanousd=1_000)
    assert actions(page_of(manager, run)) == offered
    shut = page_of(viewer, run)
    assert actions(shut) == set()
    assert "Product managers can start, pause and cancel runs." in shut.get_text()


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry", "repeat"])
def test_a_viewer_cannot_change_a_run(viewer, action):
    run = make_open_run(Run.State.PAUSED)
    assert viewer.post(f"/runs/{run.pk}/{action}/").status_code == 403
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry", "repeat"])
def test_a_run_changes_by_post_alone(manager, action):
    assert manager.get(f"/runs/{make_open_run().pk}/{action}/").status_code == 405


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (Run.State.RUNNING, "pause", Run.State.PAUSED),
        (Run.State.PAUSED, "resume", Run.State.QUEUED),
        (Run.State.RUNNING, "cancel", Run.State.CANCELLED),
    ],
)
def test_a_manager_changes_the_state(manager, before, action, after):
    run = make_open_run(before, resumed_at=timezone.now())
    response = manager.post(f"/runs/{run.pk}/{action}/")
    assert response["Location"] == f"/runs/{run.pk}/"
    run.refresh_from_db()
    assert run.state == after


def test_an_action_that_no_longer_fits_is_refused_in_words(manager):
    run = make_open_run(Run.State.CANCELLED)
    response = manager.post(f"/runs/{run.pk}/pause/", follow=True)
    assert "cannot be paused now" in response.content.decode()


@pytest.mark.parametrize(
    ("cap", "words"), [("0.5", "Give it a higher one"), ("x", "Enter a number"), ("-1", "greater")]
)
def test_a_cap_that_does_not_help_is_said_beside_its_field(manager, cap, words):
    run = make_open_run(Run.State.CAPPED, cap_nanousd=1_000_000_000, spent_nanousd=400_000_000)
    for headers in ({}, {"HX-Request": "true", "HX-Target": "cap"}):
        response = manager.post(f"/runs/{run.pk}/resume/", {"cap": cap}, headers=headers)
        assert response.status_code == 422
        field = soup_of(response).find(id="id_cap")
        assert field["aria-invalid"] == "true"
        assert words in soup_of(response).find(id="id_cap_error").get_text()
    run.refresh_from_db()
    assert (run.state, run.cap_nanousd) == (Run.State.CAPPED, 1_000_000_000)


def test_a_higher_cap_lets_a_capped_run_go_on(manager):
    run = make_open_run(Run.State.CAPPED, cap_nanousd=1_000_000_000)
    manager.post(f"/runs/{run.pk}/resume/", {"cap": "2.50"})
    run.refresh_from_db()
    assert (run.state, run.cap_nanousd) == (Run.State.QUEUED, 2_500_000_000)


def test_running_again_starts_another_run_of_the_experiment(manager):
    run = make_finished_run("RR", "RW").run
    response = manager.post(f"/runs/{run.pk}/repeat/")
    again = Run.objects.get(number=2)
    assert response["Location"] == f"/runs/{again.pk}/"
    assert again.experiment_id == run.experiment_id


def test_retrying_is_offered_for_failed_answers_only(manager):
    assert "retry" not in actions(page_of(manager, make_finished_run("RR", "RW").run))
    failed = make_finished_run("RR", "RF").run
    assert "retry" in actions(page_of(manager, failed))
    manager.post(f"/runs/{failed.pk}/retry/")
    failed.refresh_from_db()
    assert failed.state == Run.State.QUEUED


# What it showed


def test_every_cell_of_a_comparison_opens_as_many_items_as_it_counts(manager):
    made = make_finished_run("RRWWRUAF", "RWRWRUFW")
    page = page_of(manager, made.run)
    cells = [(int(link.get_text()), link["href"]) for link in page.select("table.four td a")]
    assert [count for count, _ in cells] == [2, 1, 1, 3]
    for count, address in cells:
        rows = soup_of(manager.get(address)).select("#items tbody tr")
        assert len(rows) == count


def test_the_links_of_the_scorecard_and_of_the_charts_give_what_they_count(manager):
    made = make_finished_run("RRWWRUAF", "RWRWRUFW")
    page = page_of(manager, made.run)
    abstained = page.select_one(f"#scorecard a[href*='arm={made.panel.pk}'][href*='abstained']")
    assert len(soup_of(manager.get(abstained["href"])).select("#items tbody tr")) == int(abstained.get_text())
    bands = page.select(f"#consensus-{made.panel.pk} tbody tr")
    assert bands
    for band in bands:
        shown = soup_of(manager.get(band.find("a")["href"])).select("#items tbody tr")
        assert len(shown) == int(band.find_all("td")[0].get_text())


def test_the_results_page_loads_the_chart_library_and_other_pages_do_not(manager):
    made = make_finished_run("RRWW", "RWRR")
    assert "plotly" in manager.get(f"/runs/{made.run.pk}/").content.decode()
    for path in (f"/runs/{make_open_run().pk}/", f"/runs/{made.run.pk}/items/", "/", "/experiments/"):
        assert "plotly.min" not in manager.get(path).content.decode()


def test_unscored_answers_are_never_called_wrong(manager):
    page = page_of(manager, make_finished_run("UU", "UU").run)
    assert "No answer is scored." in page.get_text()
    assert "Wrong" not in page.find(id="items").get_text()


def test_the_confidence_of_every_arm_is_said_with_its_diagram(manager):
    made = make_finished_run("R" * 40 + "W" * 20, "R" * 38 + "W" * 20 + "RR")
    section = page_of(manager, made.run).find(id="confidence")
    assert "60 of 60" in section.find("tbody").get_text(" ", strip=True)
    (single,) = section.find(class_="feed").find_all("li")
    assert "it does not tell which ones are right" in single.get_text()
    assert "points off on average" in section.find("figure").get_text()
    (figure,) = section.find_all("figure", class_="chart")
    assert figure["id"] == f"calibration-{made.panel.pk}"
    link = figure.find("tbody").find("tr").find("a")["href"]
    assert len(page_of(manager, made.run, link.removeprefix(f"/runs/{made.run.pk}/")).select("#items tbody tr")) == 20


def test_without_labels_confidence_is_blank_and_says_why(manager):
    made = make_finished_run("U" * 60, "R" * 10 + "U" * 50)
    section = page_of(manager, made.run).find(id="confidence")
    assert section.find(["table", "figure"]) is None
    assert "no answer is labelled right or wrong" in section.get_text()
    assert "Label 40 more." in section.get_text()


def test_a_result_from_before_there_was_confidence_is_still_shown(manager):
    made = make_finished_run("RRW", "RWR")
    stored = RunResult.objects.get(run=made.run)
    del stored.data["calibrations"]
    stored.format = 1
    stored.save()
    page = page_of(manager, made.run)
    assert "computed anew in the background" in page.find(id="confidence").get_text()
    assert page.find(id="scorecard") is not None


def test_simulated_numbers_say_so_and_recorded_ones_too(manager):
    assert "Simulated providers answered here" in page_of(manager, make_finished_run("RR", "RW").run).get_text()
    recorded = make_finished_run("RR", "RW", replies="recorded")
    assert "Recorded outputs were replayed" in page_of(manager, recorded.run).get_text()


def test_a_cancelled_run_shows_what_it_has_and_no_comparison(viewer):
    made = make_finished_run("RRRR", "RWRR")
    Run.objects.filter(pk=made.run.pk).update(state=Run.State.CANCELLED)
    page = page_of(viewer, made.run)
    assert "This run was cancelled." in page.get_text()
    assert page.select("table.four") == []
    assert len(page.select("#items tbody tr")) == 4


@pytest.mark.parametrize("path", ["", "items/"])
def test_the_item_fragment_is_what_a_reload_shows(manager, path):
    made = make_finished_run("RRWW", "RWRW")
    address = f"/runs/{made.run.pk}/{path}?arm={made.panel.pk}&outcome=wrong&sort=-cost"
    fragment = soup_of(manager.get(address, headers=ITEMS))
    whole = soup_of(manager.get(address))
    assert fragment.find("html") is None
    assert str(fragment.find(id="items")) == str(whole.find(id="items"))


def test_an_empty_filter_result_offers_to_clear_the_filters(manager):
    made = make_finished_run("RR", "RR")
    page = page_of(manager, made.run, "items/?q=nowhere")
    assert "No item matches" in page.get_text()


def test_the_exports_hold_the_filtered_rows(viewer):
    made = make_finished_run("RRWW", "RWRW")
    query = f"?arm={made.panel.pk}&outcome=wrong"
    text = b"".join(viewer.get(f"/runs/{made.run.pk}/export.csv{query}").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    lines = b"".join(viewer.get(f"/runs/{made.run.pk}/export.jsonl{query}").streaming_content).decode().splitlines()
    assert [row["item_id"] for row in rows] == [json.loads(line)["item_id"] for line in lines] == ["item-1", "item-3"]
    assert json.loads(lines[0])["correct"] is False
    assert viewer.get(f"/runs/{made.run.pk}/export.xlsx").status_code == 404


@pytest.mark.parametrize("path", ["/runs/999/", "/runs/999/items/", "/runs/999/export.csv"])
def test_a_run_that_is_not_there_is_not_found(viewer, path):
    assert viewer.get(path).status_code == 404


def test_pages_of_a_run_take_at_most_a_dozen_queries(viewer, django_assert_max_num_queries):
    made = make_finished_run("RRWWRUAF" * 8, "RWRWRUFW" * 8)
    head = str(audit_head())
    with django_assert_max_num_queries(13):  # one of them for the head of the audit chain
        assert head in viewer.get(f"/runs/{made.run.pk}/").content.decode()
    for path in ("items/", "items/?q=question&outcome=wrong"):
        with django_assert_max_num_queries(12):
            assert viewer.get(f"/runs/{made.run.pk}/{path}").status_code == 200
    running = make_open_run()
    with django_assert_max_num_queries(12):
        viewer.get(reverse("evaluation:run", args=[running.pk]))
