"""Runs of a workflow that masks: who is sent what is seen in the bodies that would go over the wire."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Max

from evaluation.models import Call, DatasetVersion, Example, Experiment, Run, Workflow
from panels.fusion.clients import openai
from panels.fusion.types import ArbiterWhen, ModelRequest, Reply, Sampling, StrategyName
from panels.models import LanguageModel, PanelVersion
from panels.services.panels import create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec
from tests.factories import (
    NOW,
    make_arbiter_spec,
    make_dataset_version,
    make_example,
    make_experiment,
    make_run,
    make_workflow,
)
from tests.integration.evaluation.execution.scripted_clients import ScriptedProviders, reply

NAME, MAIL = "Anna Schmidt", "anna.schmidt@example.org"
MASKED_NAME, MASKED_MAIL = "[[CUSTOMERNAME_1_6d]]", "[[EMAIL_1_uo]]"
PROMPT = f"{NAME} of {MAIL} asks for a refund. Who is it?"
MASKED_PROMPT = f"{MASKED_NAME} of {MASKED_MAIL} asks for a refund. Who is it?"
FIELD = "customer_name"
_SECRETS = re.compile("anna|schmidt|example.org", re.IGNORECASE)


def masking_workflow(**fields: Any) -> Workflow:
    return make_workflow(**({"masks": True, "sensitive_fields": [FIELD]} | fields))


def people_version(examples: Sequence[dict[str, Any]] = ({},), *, kind: str = "short", scorer: str = "exact"):
    """Examples that ask who somebody is; what is not named is about Anna, and the answer is her name."""
    version = make_dataset_version(examples=0, answer_kind=kind, scorer=scorer, example_count=len(examples))
    defaults = {"prompt": PROMPT, "reference": NAME, "choices": [], "meta": {"fields": {FIELD: NAME}}}
    Example.objects.bulk_create(
        make_example(version, place, **(defaults | fields)) for place, fields in enumerate(examples)
    )
    return version


def seated(
    *models: LanguageModel,
    own: Sequence[LanguageModel] = (),
    arbiter: LanguageModel | None = None,
    strategy: StrategyName = StrategyName.MAJORITY,
) -> PanelVersion:
    """One stage of these; those that are our ``own`` are in-house and see raw text."""
    sampling = Sampling(max_tokens=40)
    members = tuple(MemberSpec(model_id=one.pk, sampling=sampling, in_house=one in own) for one in models)
    spec = PanelSpec(
        strategy=strategy,
        stages=(StageSpec(members=members),),
        arbiter=None if arbiter is None else make_arbiter_spec(arbiter, strategy, when=ArbiterWhen.ALWAYS),
    )
    number = PanelVersion.objects.aggregate(last=Max("pk"))["last"] or 0
    return create_panel(name=f"Masked {number}", description="", spec=spec, by=None, now=NOW)


def masked_run(
    *panels: PanelVersion,
    version: DatasetVersion | None = None,
    workflow: Workflow | None = None,
    replies: str = Experiment.Replies.LIVE,
    **fields: Any,
) -> Run:
    experiment = make_experiment(
        panels, version=version or people_version(), replies=replies, workflow=workflow or masking_workflow()
    )
    return make_run(experiment, **fields)


def body(request: ModelRequest) -> str:
    return openai.request_body(replace(request, model="m")).decode()


def bodies(providers: ScriptedProviders, model: LanguageModel) -> list[str]:
    return [body(request) for request in providers.requests if request.model == str(model.pk)]


def secrets_in(text: str) -> list[str]:
    return _SECRETS.findall(text)


def calls_of(run: Run, model: LanguageModel) -> list[Call]:
    return list(Call.objects.filter(answer__run=run, model=model).order_by("answer__position", "attempt"))


def echo(request: ModelRequest) -> Reply:
    """The first word or name of the prompt, as a model that was asked who it is about would say."""
    return reply(request.messages[0].content.split(" of ")[0])
