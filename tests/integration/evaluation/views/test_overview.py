from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from evaluation.models import ArmProgress, DatasetImport, Run
from tests.factories import (
    make_dataset_version,
    make_experiment,
    make_model,
    make_panel_version,
    make_run,
    make_workflow,
)
from tests.integration.evaluation.finished_runs import make_finished_run

pytestmark = pytest.mark.django_db
JOBS = {"HX-Request": "true", "HX-Target": "jobs"}


def soup_of(response):
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def text_of(client, path: str = "/") -> str:
    return soup_of(client.get(path)).get_text(" ", strip=True)


def make_open_run(state: str, **fields) -> Run:
    experiment = make_experiment([make_panel_version([[make_model()]])], title="Open one")
    return make_run(experiment, state=state, **({"created_at": timezone.now()} | fields))


def make_import(state: str, **fields) -> DatasetImport:
    dataset = make_dataset_version().dataset
    lease = {"lease_token": "5" * 32} if state == "running" else {}
    return DatasetImport.objects.create(
        dataset=dataset, state=state, folder="x", **({"created_at": timezone.now()} | lease | fields)
    )


def test_a_new_installation_is_led_through_its_first_steps(manager, viewer):
    page = soup_of(manager.get("/"))
    assert "Three steps to a first result" in page.get_text()
    assert page.select_one(".btn.primary")["href"] == "/datasets/upload/"
    make_dataset_version()
    assert soup_of(manager.get("/")).select_one(".btn.primary")["href"] == "/panels/new/"
    make_panel_version([[make_model()]])
    assert soup_of(manager.get("/")).select_one(".btn.primary")["href"] == "/experiments/new/"
    assert soup_of(viewer.get("/")).select("main a[href='/experiments/new/']") == []


def test_an_installation_in_use_has_no_first_steps(manager):
    make_finished_run("RR", "RW")
    assert "Three steps" not in text_of(manager)


def test_a_workflow_stands_where_its_latest_finished_run_left_it(viewer):
    workflow = make_workflow(name="Sales", target_accuracy=0.5, target_cost_change=-0.25)
    make_finished_run("WWWWWWWWWW", "WWWWWWWWWW", workflow=workflow)
    newest = make_finished_run("RRRRWWWWWW", "RRRRRRRRRW", workflow=workflow)
    article = soup_of(viewer.get("/")).select_one(".workflow")
    text = article.get_text(" ", strip=True)
    assert "90.0 % 59.6 to 98.2" in text
    assert "baseline 40.0 %, difference +50.0 pt, n 10" in text
    assert article.select_one("a.btn")["href"] == f"/runs/{newest.run.pk}/"
    states = {
        item.select_one(".h span").get_text(): item.select_one(".state") for item in article.select(".targets > li")
    }
    assert states["Accuracy"]["data-state"] == "pass"
    assert states["Cost per request"]["data-state"] == "fail"
    assert states["Latency P95"] is None


def test_a_workflow_without_a_finished_run_says_so(viewer):
    make_workflow(name="Support")
    make_finished_run("RR", "RW")
    assert "No finished run yet." in text_of(viewer)


def test_the_steps_of_the_pilot_follow_what_is_there(viewer):
    def step(workflow):
        page = soup_of(viewer.get(f"/workflows/{workflow.slug}/"))
        return page.select_one(".steps [aria-current]").get_text()

    bare, aimed = make_workflow(), make_workflow(target_accuracy=0.9)
    assert step(bare) == "2 Success metrics"
    assert step(aimed) == "3 Create panel"
    make_experiment([make_panel_version([[make_model()]])], workflow=aimed)
    assert step(aimed) == "4 Offline benchmark"
    make_finished_run("RR", "RW", workflow=aimed)
    assert step(aimed) == "5 Live A/B"


def test_running_jobs_show_their_progress_and_poll_until_they_end(viewer):
    run = make_open_run(Run.State.RUNNING, active_s=10.0)
    ArmProgress.objects.filter(run=run).update(done=1)
    page = soup_of(viewer.get("/"))
    assert "1 of 4 answers" in page.find(id="jobs").get_text()
    assert page.find(id="jobs").has_attr("hx-trigger")
    assert str(soup_of(viewer.get("/", headers=JOBS)).find(id="jobs")) == str(page.find(id="jobs"))
    Run.objects.update(state=Run.State.CANCELLED)
    ended = soup_of(viewer.get("/", headers=JOBS)).find(id="jobs")
    assert not ended.has_attr("hx-trigger")
    assert "Nothing is running." in ended.get_text()


def test_an_import_under_way_is_a_running_job(viewer):
    make_import("running", rows_done=1200, bytes_total=10, bytes_done=5)
    assert "1,200 rows" in text_of(viewer)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: make_open_run(Run.State.CAPPED), "Stopped at the cap"),
        (lambda: make_open_run(Run.State.PAUSED), "Paused"),
        (lambda: make_import("draft"), "Import waits"),
        (lambda: make_import("failed", problems=[{}, {}]), "2 problems found"),
    ],
)
def test_what_waits_for_a_person_is_listed(viewer, make, words):
    assert words not in text_of(viewer)
    make()
    assert words in text_of(viewer)


def test_failed_answers_wait_for_a_person_for_a_week(viewer):
    made = make_finished_run("RR", "RF")
    Run.objects.filter(pk=made.run.pk).update(finished_at=timezone.now() - timedelta(days=1))
    assert "1 of 4 answers failed" in text_of(viewer)
    Run.objects.filter(pk=made.run.pk).update(finished_at=timezone.now() - timedelta(days=8))
    assert "answers failed" not in text_of(viewer)


def test_the_workflow_page_lists_its_own_experiments_only(viewer):
    workflow = make_workflow(name="Sales", description="Answers buyers.", target_p95_ms=500)
    make_finished_run("RR", "RW", workflow=workflow, title="Mine")
    make_finished_run("RR", "RW", title="Not mine")
    text = text_of(viewer, f"/workflows/{workflow.slug}/")
    assert "Mine" in text
    assert "Not mine" not in text
    assert "under 500 ms" in text
    assert viewer.get("/workflows/none/").status_code == 404


def test_nobody_sees_anything_without_a_login(client):
    workflow = make_workflow()
    made = make_finished_run("RR", "RW", workflow=workflow)
    answer = made.answers(made.panel)[0]
    for path in (
        "/", f"/workflows/{workflow.slug}/", "/experiments/", "/experiments/new/", f"/runs/{made.run.pk}/",
        f"/runs/{made.run.pk}/items/", f"/runs/{made.run.pk}/export.csv", f"/answers/{answer.pk}/",
    ):  # fmt: skip
        assert client.get(path)["Location"].startswith("/login/")


def test_overview_and_workflow_take_at_most_a_dozen_queries(viewer, django_assert_max_num_queries):
    workflows = [make_workflow(target_accuracy=0.5) for _ in range(4)]
    for workflow in workflows:
        make_finished_run("RRRR", "RWRR", workflow=workflow)
        make_open_run(Run.State.RUNNING)
        make_import("draft")
    for path in ("/", f"/workflows/{workflows[0].slug}/"):
        with django_assert_max_num_queries(12):
            viewer.get(path)
