"""A run under a person's hands: watched, paused, left, taken up again, cancelled; and a worker that dies on it."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from evaluation.execution.batches import claim_batch, next_batch
from evaluation.execution.leases import claim_lease, sweep_leases
from evaluation.models import Answer, Experiment, Run
from evaluation.services.runs import start_run
from evaluation.tasks import work_run_task
from tests.functional.browsing import OpenPage, tab_to
from tests.functional.sample import Sample
from tests.functional.service import MANAGER, Service

CAP_NANOUSD = 5_000_000_000
SET_ASIDE_NANOUSD, SET_ASIDE = 123_000_000, "$0.1230"


def _start(experiment: Experiment, *, concurrency: int = 4) -> Run:
    return start_run(
        experiment=experiment,
        concurrency=concurrency,
        cap_nanousd=CAP_NANOUSD,
        reuse_replies=False,
        by=User.objects.get(username=MANAGER),
        now=timezone.now(),
    )


def _work_on(run: Run, service: Service) -> Future[Any]:
    return service.workers.start(work_run_task, run_id=run.pk)


def _done(page: Page) -> int:
    return int(page.get_by_role("progressbar", name="Answers finished").get_attribute("value") or 0)


def test_a_run_is_watched_paused_left_resumed_and_cancelled(
    open_page: OpenPage, manager: Page, service: Service, sample: Sample
) -> None:
    run = _start(sample.slow)
    working = _work_on(run, service)
    manager.goto(f"/runs/{run.pk}/")
    bar = manager.get_by_role("progressbar", name="Answers finished")
    expect(bar).not_to_have_attribute("value", "0")
    before = _done(manager)
    expect(bar).not_to_have_attribute("value", str(before))  # by itself
    expect(manager.locator("#live")).to_contain_text("left")
    expect(manager.locator("#live")).to_contain_text("4 of 4 calls at once")

    tab_to(manager, manager.get_by_role("button", name="Pause"))
    manager.keyboard.press("Enter")
    expect(manager.get_by_role("heading", name="The run is paused")).to_be_visible()
    working.result(timeout=30)
    stored = Answer.objects.filter(run=run).count()
    assert 0 < stored < run.answers_wanted
    manager.close()

    page = open_page(MANAGER)
    page.goto("/")
    page.locator(f'aside a[href="/runs/{run.pk}/"]').click()
    assert _done(page) == stored
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#live")).to_contain_text("waits for a worker")
    working = _work_on(run, service)
    expect(page.get_by_role("progressbar", name="Answers finished")).not_to_have_attribute("value", str(stored))

    _cancel(page)
    working.result(timeout=30)
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED
    assert stored < Answer.objects.filter(run=run).count() < run.answers_wanted


def _cancel(page: Page) -> None:
    """First by mistake, then meant."""
    page.get_by_role("button", name="Cancel run").click()
    question = page.get_by_role("dialog", name="Cancel this run?")
    expect(question.get_by_role("button", name="Go back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    page.get_by_role("button", name="Cancel run").click()
    question.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("This run was cancelled.")).to_be_visible()
    expect(page.get_by_role("heading", name="Counts until then")).to_be_visible()


def test_what_a_dead_worker_held_is_shown_as_spent_and_the_run_goes_on(
    manager: Page, service: Service, sample: Sample
) -> None:
    run = _start(sample.finished.experiment, concurrency=40)
    _die_at_work(run)
    manager.goto(f"/runs/{run.pk}/")
    expect(manager.locator("#live")).to_contain_text(f"{SET_ASIDE} reserved")
    sweep_leases(now=timezone.now() + timedelta(minutes=1))

    lost = manager.get_by_text("Outcome unknown").locator("+ dd")
    expect(lost).to_contain_text(SET_ASIDE)
    _work_on(run, service).result(timeout=60)
    expect(manager.get_by_role("heading", name="Arm scorecard")).to_be_visible()
    run.refresh_from_db()
    assert (run.state, run.lost_nanousd, run.reserved_nanousd) == (Run.State.FINISHED, SET_ASIDE_NANOUSD, 0)
    assert Answer.objects.filter(run=run).count() == run.answers_wanted


def _die_at_work(run: Run) -> None:
    """Takes a share of the run and its first batch, and is not heard of again."""
    lease = claim_lease(run_id=run.pk, wanted_slots=8, worker="short-lived", now=timezone.now())
    batch = next_batch(run_id=run.pk)
    assert lease is not None
    assert batch is not None
    claim_batch(lease, batch_id=batch.pk, reserve_nanousd=SET_ASIDE_NANOUSD, now=timezone.now())


def test_a_run_at_its_cap_goes_on_with_a_higher_one(manager: Page, service: Service, sample: Sample) -> None:
    run = _start(sample.slow)
    Run.objects.filter(pk=run.pk).update(cap_nanousd=1_000)
    service.workers.finish(work_run_task, run_id=run.pk)
    manager.goto(f"/runs/{run.pk}/")
    expect(manager.get_by_role("heading", name="The run stopped at its cap")).to_be_visible()
    cap = manager.get_by_label("New cap")
    cap.fill("0.000001")
    manager.get_by_role("button", name="Raise the cap and go on").click()
    expect(manager.locator("#cap")).to_contain_text("Give it a higher one")
    expect(cap).to_be_focused()

    cap.fill("5")
    cap.press("Enter")
    expect(manager.locator("#live")).to_contain_text("waits for a worker")
    run.refresh_from_db()
    assert (run.state, run.cap_nanousd) == (Run.State.QUEUED, CAP_NANOUSD)
