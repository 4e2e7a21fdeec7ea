"""How long the server takes for the monitoring page, and an hour's rollup, over 90 days of live answers.

At most 150 ms at P95 are required of the page with 10 million calls, at most 1.3 times what a tenth of them takes, and
at most 1 s of the rollup of an hour. ``QUORUM_BENCH_CALLS`` sets another number of calls. With ``DATABASE_URL`` it runs
on PostgreSQL as well, in a database that is made for it there and dropped.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.execution.inserts import insert_rows
from evaluation.execution.rollups import hour_of, mark_due, roll_up, sweep_rollups
from evaluation.models import Answer, Call, LiveRequest
from panels.fusion.types import StrategyName
from panels.models import LanguageModel, PanelVersion, Provider
from panels.services.panels import create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec
from tests.bench.figures import percentile, report
from tests.bench.pages import measure

CALLS = {"sqlite": 1_000_000, "postgresql": 10_000_000}
DAYS = 90
MODELS, PANELS, MEMBERS = 12, 12, 4
_HOURS = DAYS * 24


def main(_: Path) -> None:
    calls = int(os.environ.get("QUORUM_BENCH_CALLS") or CALLS[connection.vendor])
    versions, until = _make_panels(), hour_of(timezone.now())
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    fill(versions, calls=calls // 10, until=until, seed=1)
    few = _page_p95(client, versions[0])
    fill(versions, calls=calls - calls // 10, until=until, seed=2)
    many = _page_p95(client, versions[0])
    report(
        f"monitoring on {connection.vendor}, {Call.objects.count():,} calls over {DAYS} days",
        f"page P95 {many * 1000:.0f} ms, {few * 1000:.0f} ms with a tenth of them, {many / few:.2f} times",
        f"rollup of one hour of {_calls_of(until):,} calls {_rollup_s(until) * 1000:.0f} ms",
    )


def fill(versions: Sequence[PanelVersion], *, calls: int, until: datetime, seed: int) -> None:
    """So many calls, evenly over the hours, and their rollups."""
    rng, per_hour = random.Random(seed), max(1, round(calls / MEMBERS / _HOURS))
    hours = [until - timedelta(hours=place) for place in range(_HOURS)]
    for hour in hours:
        with transaction.atomic():
            _fill_hour(rng, versions, hour, answers=per_hour)
            mark_due([hour])
    while sweep_rollups(now=timezone.now()):
        pass


def _fill_hour(rng: random.Random, versions: Sequence[PanelVersion], hour: datetime, *, answers: int) -> None:
    last = Answer.objects.aggregate(last=models.Max("pk"))["last"] or 0
    insert_rows(Answer, [_answer(rng, hour) for _ in range(answers)])
    keys = Answer.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)
    asked = [(key, rng.choice(versions)) for key in keys]
    insert_rows(LiveRequest, [_request(key, version, hour) for key, version in asked])
    insert_rows(Call, [call for key, version in asked for call in _calls(rng, key, version, hour)])


def _answer(rng: random.Random, hour: datetime) -> dict[str, Any]:
    cut = [{"kind": "member_failed", "reason": "timeout", "seat": 0}] if rng.random() < 0.03 else []
    return _blank(Answer) | {
        "outcome": "answered",
        "value": "A",
        "winner_seat": 0,
        "consensus": rng.choice([0.25, 0.5, 0.75, 1.0]),
        "confidence": rng.random(),
        "correct": rng.random() < 0.8,
        "stages_called": 1,
        "call_count": MEMBERS,
        "cost_nanousd": rng.randrange(10**7),
        "latency_s": rng.lognormvariate(-0.5, 0.6),
        "degraded": cut,
        "created_at": hour,
    }


def _request(key: int, version: PanelVersion, hour: datetime) -> dict[str, Any]:
    asked = {"answer_kind": "text", "messages": '[{"role": "user", "content": "Who?"}]', "created_at": hour}
    return _blank(LiveRequest) | asked | {"answer_id": key, "panel_version_id": version.pk}


def _calls(rng: random.Random, key: int, version: PanelVersion, hour: datetime) -> Iterator[dict[str, Any]]:
    for member in version.members.all():
        failed = rng.random() < 0.02
        yield _blank(Call) | {
            "answer_id": key,
            "model_id": member.model_id,
            "stage": 0,
            "seat": member.seat,
            "outcome": rng.choice(["timeout", "server", "rate_limited"]) if failed else "ok",
            "cost_nanousd": rng.randrange(10**6),
            "spent_nanousd": rng.randrange(10**6),
            "latency_s": rng.lognormvariate(-1, 0.6),
            "first_token_s": rng.lognormvariate(-2, 0.5),
            "created_at": hour,
        }


def _blank(model: type[models.Model]) -> dict[str, Any]:
    """Every column by its default."""
    instance = model()
    return {field.attname: getattr(instance, field.attname) for field in model._meta.concrete_fields}


def _make_panels() -> list[PanelVersion]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    provider = Provider.objects.create(
        slug="bench", name="Bench", kind="simulated", base_url="http://127.0.0.1:9/v1", created_at=now
    )
    asked = [
        LanguageModel.objects.create(provider=provider, name=f"model-{number}", created_at=now)
        for number in range(MODELS)
    ]
    for number in range(PANELS):
        seats = tuple(MemberSpec(model_id=asked[(number + place) % MODELS].pk) for place in range(MEMBERS))
        spec = PanelSpec(strategy=StrategyName.MAJORITY, stages=(StageSpec(members=seats),))
        create_panel(name=f"Panel {number}", description="", spec=spec, by=None, now=now)
    return list(PanelVersion.objects.prefetch_related("members"))


def _page_p95(client: Client, version: PanelVersion) -> float:
    """Seconds; that of the slowest of the pages asked for."""
    page = reverse("evaluation:monitoring")
    queries = [f"span={span}" for span in ("24h", "7d", "30d", "90d")] + [f"span=90d&version={version.pk}"]
    return max(percentile(measure(client, f"{page}?{query}").seconds, 0.95) for query in queries)


def _calls_of(hour: datetime) -> int:
    return Call.objects.filter(created_at__gte=hour, created_at__lt=hour + timedelta(hours=1)).count()


def _rollup_s(hour: datetime) -> float:
    started = perf_counter()
    roll_up(hour)
    return perf_counter() - started
