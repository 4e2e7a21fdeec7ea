"""A live question, from the panel version it is put to, to the record of its answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from evaluation.execution.data_gate import require_live_gate
from evaluation.execution.database import DatabaseThread
from evaluation.execution.live_records import LiveRecord, Participants, record_answer, record_late, usual_slowest
from evaluation.execution.plan import plan_model
from evaluation.execution.replies import fresh_reply
from evaluation.models import Answer, Workflow
from fusion_site.lib.derived_secrets import derived_secret
from panels.fusion.live import Live
from panels.fusion.live_answer import Held, Late, LiveAnswer, Privacy, Reach, answer_live
from panels.fusion.modes import apply_mode
from panels.fusion.privacy.cover import Masking
from panels.fusion.replies import reply_key
from panels.fusion.types import ModelClient, ModelRequest, Panel, Question
from panels.gate import contract_day
from panels.models import LanguageModel, PanelVersion, Provider
from panels.selectors.terms import model_terms
from panels.services.provider_health import note_provider_health
from panels.specs import engine_panel, inventory_key

ClientsFor = Callable[[Sequence[LanguageModel], int], AbstractAsyncContextManager[Mapping[str, ModelClient]]]

MAX_REPLY_AGE = timedelta(hours=24)


class NotCallable(Exception):
    """No provider answers for a model of the panel, so it cannot be asked anything new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A question, and what its answer is allowed. What is None is left to the panel version.

    ``workflow`` is whose data it is. ``mode`` is budget, quality or a number from 0 to 1; a ceiling cannot be raised,
    only lowered. ``max_age`` is how old a reply may be that was bought before; zero buys everything anew. ``sensitive``
    are named values to be masked.
    """

    question: Question
    workflow: Workflow | None = None
    mode: str | float | None = None
    ceiling_nanousd: int | None = None
    deadline_s: float | None = None
    masks: bool = False
    sensitive: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_age: timedelta = MAX_REPLY_AGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer for its reader, and the record of it, which holds placeholders where it was masked."""

    answer: Answer
    live: LiveAnswer


def answer_question(
    *,
    version: PanelVersion,
    wanted: Wanted,
    clients_for: ClientsFor,
    clock: Callable[[], datetime],
    by: User | None = None,
    on_answer: Callable[[Answered], None] = lambda _: None,
) -> Answered:
    """Ask the version, tell ``on_answer`` as soon as there is an answer, then wait for late replies and record them.

    ``version`` comes with its members and their models. Raises UnknownMode, NotCallable, GateClosed, MissingKey,
    MaskingBlocked, SensitiveValueTooShort and UnmaskableSchema, having sent and stored nothing.
    """
    now = clock()
    models = _models_of(version)
    for model in models:
        if model.provider.kind == Provider.Kind.RECORDED:
            raise NotCallable(f"{model.name} has recorded outputs only; no provider answers for it.")
    require_live_gate(version, wanted.workflow, now=now)
    names = _names(models)
    session = _Session(
        version=version,
        panel=_renamed(_allowed(engine_panel(version), wanted), names),
        wanted=wanted,
        participants=_participants(models, names, now),
        names=names,
        clock=clock,
        by=by,
    )
    return async_to_sync(session.run)(models, clients_for, on_answer)


def _participants(models: Sequence[LanguageModel], names: Mapping[str, str], now: datetime) -> Participants:
    terms = model_terms(models, today=contract_day(now))
    planned = [plan_model(model, terms[model.pk]) for model in models]
    return Participants(models={names[inventory_key(model.pk)]: model for model in planned})


@dataclass(slots=True, kw_only=True)
class _Session:
    """One question on its way. ``names`` are what the engine calls the models, by inventory key, for people to read.

    ``_held`` are the calls that hold reused replies, by reply key.
    """

    version: PanelVersion
    panel: Panel
    wanted: Wanted
    participants: Participants
    names: Mapping[str, str]
    clock: Callable[[], datetime]
    by: User | None
    started: float = field(default_factory=time.monotonic)
    _held: dict[str, int] = field(default_factory=dict, init=False)
    _late: list[Late] = field(default_factory=list, init=False)

    async def run(
        self, models: Sequence[LanguageModel], clients_for: ClientsFor, on_answer: Callable[[Answered], None]
    ) -> Answered:
        async with DatabaseThread() as database, clients_for(models, _concurrency(self.panel)) as opened:
            clients = {self.names[key]: client for key, client in opened.items()}
            live = await self._live(models, database)
            found = await answer_live(
                question=self.wanted.question,
                panel=self.panel,
                reach=self._reach(clients, database),
                live=live,
                privacy=Privacy(sensitive=self.wanted.sensitive) if self.wanted.masks else None,
            )
            record = self._record(found, took_s=time.monotonic() - self.started)
            answered = Answered(answer=await database.run(record_answer, record), live=found)
            on_answer(answered)
            await live.drain()
            if self._late:
                await database.run(record_late, record, answered.answer, tuple(self._late))
            await database.run(note_provider_health, now=self.clock())
        return answered

    async def _live(self, models: Sequence[LanguageModel], database: DatabaseThread) -> Live:
        asked = [model.pk for model in models] if self.panel.timing.hedges else []
        slowest = {self.names[inventory_key(pk)]: s for pk, s in (await database.run(usual_slowest, asked)).items()}
        return Live(started=self.started, p95_of=lambda member: slowest.get(member.model))

    def _record(self, found: LiveAnswer, *, took_s: float) -> LiveRecord:
        return LiveRecord(
            version_id=self.version.pk,
            workflow=self.wanted.workflow,
            live=found,
            participants=self.participants,
            held=dict(self._held),
            mode=_mode_text(self.wanted.mode),
            ceiling_nanousd=self.panel.max_cost_nanousd,
            deadline_s=self.panel.timing.deadline_s,
            by=self.by,
            took_s=took_s,
            now=self.clock(),
        )

    def _reach(self, clients: Mapping[str, ModelClient], database: DatabaseThread) -> Reach:
        async def find_held(request: ModelRequest, masking: Masking) -> Held:
            model = self.participants.models[request.model]
            key = reply_key(provider=model.provider, request=replace(request, model=model.name), masking=masking)
            if not self.wanted.max_age:
                return Held(key=key)
            held = await database.run(fresh_reply, key, now=self.clock(), max_age=self.wanted.max_age)
            if held is None:
                return Held(key=key)
            self._held[key] = held.call_id
            return Held(key=key, reply=held.reply)

        return Reach(
            clients=clients,
            prices={key: model.price for key, model in self.participants.models.items()},
            body_of=self.participants.body_of,
            find_held=find_held,
            on_late=self._keep_late,
            secret=derived_secret("arbiter fences"),
        )

    async def _keep_late(self, late: Late) -> None:
        self._late.append(late)


def _allowed(panel: Panel, wanted: Wanted) -> Panel:
    """The panel under the request's own terms."""
    if wanted.mode is not None:
        panel = apply_mode(panel, wanted.mode)
    ceilings = [ceiling for ceiling in (panel.max_cost_nanousd, wanted.ceiling_nanousd) if ceiling is not None]
    deadline_s = panel.timing.deadline_s if wanted.deadline_s is None else wanted.deadline_s
    timing = replace(panel.timing, deadline_s=deadline_s)
    return replace(panel, timing=timing, max_cost_nanousd=min(ceilings, default=None))


def _mode_text(mode: str | float | None) -> str:
    """Short enough to be stored."""
    return "" if mode is None else mode if isinstance(mode, str) else f"{mode:.6g}"


def _concurrency(panel: Panel) -> int:
    """Every member at once, and a second request for each stage's slowest."""
    return len(panel.members) + len(panel.stages)


def _names(models: Sequence[LanguageModel]) -> dict[str, str]:
    """The models' names by inventory key; with the provider's, where two providers have one of that name."""
    common = Counter(model.name for model in models)
    return {
        inventory_key(model.pk): model.name if common[model.name] == 1 else f"{model.name}, {model.provider.name}"
        for model in models
    }


def _renamed(panel: Panel, names: Mapping[str, str]) -> Panel:
    """The panel as people read it: what is said of it names models, not rows of the inventory."""
    stages = tuple(
        replace(stage, members=tuple(replace(member, model=names[member.model]) for member in stage.members))
        for stage in panel.stages
    )
    arbiter = None if panel.arbiter is None else replace(panel.arbiter, model=names[panel.arbiter.model])
    return replace(panel, stages=stages, arbiter=arbiter)


def _models_of(version: PanelVersion) -> list[LanguageModel]:
    models = {seat.model_id: seat.model for seat in version.members.all()}
    if version.arbiter_model is not None:
        models[version.arbiter_model.pk] = version.arbiter_model
    return list(models.values())
