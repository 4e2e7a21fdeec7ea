"""Questions put to a stored panel, whose models answer by script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from evaluation.execution.live_answers import Answered, Wanted, answer_question
from panels.fusion.types import ArbiterWhen, ModelClient, Question, StrategyName
from panels.models import LanguageModel, PanelVersion
from panels.selectors.panels import with_members
from panels.specs import inventory_key
from tests.factories import NOW, make_model, make_panel_version, make_provider
from tests.triggers import rewrite
from tests.unit.panels.fusion.live_panels import ScriptedModel, ask, model


@dataclass(slots=True, kw_only=True)
class Helpdesk:
    """A panel of the models ``a``, ``b`` ... by name, and what each of them says."""

    version: PanelVersion
    says: dict[str, ScriptedModel]
    now: datetime = NOW
    opened: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def clients_for(
        self, models: Sequence[LanguageModel], concurrency: int
    ) -> AsyncIterator[Mapping[str, ModelClient]]:
        self.opened.append(concurrency)
        yield {inventory_key(model.pk): self.says[model.name] for model in models if model.name in self.says}

    def put(
        self, question: Question | None = None, *, on_answer: Callable[[Answered], None] = lambda _: None, **terms: Any
    ) -> Answered:
        return answer_question(
            version=with_members(PanelVersion.objects.all()).get(pk=self.version.pk),
            wanted=Wanted(question=question or ask(), **terms),
            clients_for=self.clients_for,
            clock=lambda: self.now,
            on_answer=on_answer,
        )

    def asked(self, name: str) -> int:
        return len(self.says[name].requests)

    def change(self, **columns: Any) -> None:
        """Of the version: its timing, its ceiling."""
        rewrite(PanelVersion.objects.filter(pk=self.version.pk), **columns)


def make_helpdesk(
    *, judge: bool = False, strategy: StrategyName | None = None, price: bool = True, **says: ScriptedModel | str
) -> Helpdesk:
    """With ``judge``, the model ``j`` is asked every time; it synthesises unless told otherwise."""
    provider = make_provider(name="Scripted", kind="openai")
    prices = {"price": (1_000_000_000, 10_000_000_000)} if price else {"price": None}
    models = {name: make_model(provider=provider, name=name, **prices) for name in says}
    named = {name: model(words) if isinstance(words, str) else words for name, words in says.items()}
    if not judge:
        version = make_panel_version([list(models.values())], strategy=strategy or StrategyName.MAJORITY)
        return Helpdesk(version=version, says=named)
    version = make_panel_version(
        [[seated for name, seated in models.items() if name != "j"]],
        strategy=strategy or StrategyName.SYNTHESIS,
        arbiter=models["j"],
        when=ArbiterWhen.ALWAYS,
    )
    return Helpdesk(version=version, says=named)


def at(helpdesk: Helpdesk, now: datetime) -> Helpdesk:
    return replace(helpdesk, now=now)
