"""How long the server takes for each page, and with how many queries, beside a run of 10,000 examples × 4 arms.

At most 300 ms and 12 queries are required. Lists stand on 60 further experiments with runs, panels and datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from evaluation.models import Answer, Arm, Run
from evaluation.selectors.items import ItemFilter, items_page
from evaluation.selectors.runs import arms_of
from panels.models import LanguageModel, PanelVersion
from tests.bench.figures import percentile, report
from tests.bench.synthetic import ArmPlan, import_recorded, start_comparison, work_through

EXAMPLES = 10_000
OTHERS, OTHER_EXAMPLES = 60, 8
REQUESTS = 15
DEEP_PAGES = 100
MODELS = ("strong", "able", "fair", "quick", "small", "tiny")
ARMS = (
    ArmPlan(name="single", stages=(("strong",),)),
    ArmPlan(name="three", stages=(("able", "fair", "quick"),)),
    ArmPlan(name="five", stages=(("able", "fair", "quick", "small", "tiny"),)),
    ArmPlan(name="staged", stages=(("able", "fair"), ("strong",)), stop_at=1.0, settles=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: seconds on the clock, seconds of the processor, queries, bytes of the page."""

    seconds: float
    cpu_s: float
    queries: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of each request, on the clock and of the processor, and the most queries that one of them took."""

    seconds: tuple[float, ...]
    cpu_s: tuple[float, ...]
    queries: int
    size: int


def main(folder: Path) -> None:
    run = _make_run(folder)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    for name, address in _addresses(run):
        measured = measure(client, address)
        middle, slow = (percentile(measured.seconds, share) * 1000 for share in (0.5, 0.95))
        report(
            name,
            f"P50 {middle:.0f} ms, P95 {slow:.0f} ms, of the processor {percentile(measured.cpu_s, 0.5) * 1000:.0f} ms",
            f"{measured.queries} queries",
            f"{measured.size / 1024:,.0f} kB",
        )


def _make_run(folder: Path) -> Run:
    """The run that is looked at. Around it stand others, so that lists have rows and more than one page."""
    version = import_recorded("ten thousand", folder=folder, count=EXAMPLES, models=MODELS, words=20)
    run = start_comparison(version, title="large", arms=ARMS)
    work_through(run)
    for number in range(OTHERS):
        other = import_recorded(f"other {number}", folder=folder, count=OTHER_EXAMPLES, models=MODELS, words=20)
        work_through(start_comparison(other, title=f"other {number}", arms=ARMS))
    return run


def measure(client: Client, address: str) -> Measured:
    """Asks once to warm up, then ``REQUESTS`` times."""
    _timed(client, address)
    rounds = [_timed(client, address) for _ in range(REQUESTS)]
    return Measured(
        seconds=tuple(each.seconds for each in rounds),
        cpu_s=tuple(each.cpu_s for each in rounds),
        queries=max(each.queries for each in rounds),
        size=rounds[0].size,
    )


def _timed(client: Client, address: str) -> Asked:
    queries = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        started, used = perf_counter(), thread_time()
        response = client.get(address)
        content = response.content
        seconds, cpu_s = perf_counter() - started, thread_time() - used
    if response.status_code != 200:
        raise SystemExit(f"{address} answered with status {response.status_code}.")
    return Asked(seconds=seconds, cpu_s=cpu_s, queries=queries, size=len(content))


def _addresses(run: Run) -> Iterator[tuple[str, str]]:
    page = reverse("evaluation:run", args=[run.pk])
    yield "results page", page
    yield from ((f"item table, {name}", address) for name, address in _item_tables(run))
    yield "trace page", reverse("evaluation:answer", args=[_middle_answer(run).pk])
    version = run.experiment.dataset_version
    yield "overview", reverse("evaluation:overview")
    yield "datasets", reverse("evaluation:datasets")
    yield "dataset", reverse("evaluation:dataset", args=[version.dataset.slug])
    deep = {"after": f"{EXAMPLES // 2}~{EXAMPLES // 2}"}
    yield f"dataset, page {DEEP_PAGES}", reverse("evaluation:dataset", args=[version.dataset.slug], query=deep)
    yield "dataset, text", reverse("evaluation:dataset", args=[version.dataset.slug], query={"q": "harbour invoice"})
    yield "experiments", reverse("evaluation:experiments")
    yield "new experiment", reverse("evaluation:experiment-create")
    yield "panels", reverse("panels:panels")
    panel = PanelVersion.objects.select_related("panel").get(arms__experiment=run.experiment, arms__name="staged")
    yield "panel", reverse("panels:panel", args=[panel.panel.slug])
    yield "models", reverse("panels:models")
    model = LanguageModel.objects.get(provider=version.recorded_by_id, name="strong")
    yield "model", reverse("panels:model", args=[model.pk])


def _item_tables(run: Run) -> Iterator[tuple[str, str]]:
    items = reverse("evaluation:run-items", args=[run.pk])
    staged = Arm.objects.get(experiment=run.experiment, name="staged").pk
    asked: Mapping[str, dict[str, object]] = {
        "as it comes": {},
        "lost": {"arm": staged, "versus": "lost"},
        "wrong and escalated": {"arm": staged, "outcome": "wrong", "escalated": 1},
        "consensus band": {"arm": staged, "from": 0.4, "to": 0.8},
        "text": {"arm": staged, "q": "harbour invoice"},
        "by consensus": {"arm": staged, "sort": "-consensus"},
        "by cost": {"arm": staged, "sort": "-cost"},
        "by latency": {"arm": staged, "sort": "-latency"},
        f"page {DEEP_PAGES} by position": {"arm": staged, "after": _deep_key(run, "")},
        f"page {DEEP_PAGES} by cost": {"arm": staged, "sort": "-cost", "after": _deep_key(run, "-cost")},
    }
    for name, query in asked.items():
        yield name, f"{items}?{urlencode(query)}"


def _deep_key(run: Run, sort: str) -> str:
    """The key after which the hundredth page begins, found as a reader would: by turning pages."""
    arms = arms_of(run)
    arm = next(arm for arm in arms if arm.name == "staged")
    wanted = ItemFilter.from_query({"arm": str(arm.pk), "sort": sort})
    key = None
    for _ in range(DEEP_PAGES - 1):
        key = items_page(run, arms=arms, wanted=wanted, after=key).page.next_key
    return key or ""


def _middle_answer(run: Run) -> Answer:
    return Answer.objects.get(run=run, arm__name="staged", position=EXAMPLES // 2)
