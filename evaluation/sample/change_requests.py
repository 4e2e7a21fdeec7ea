"""The sample panel in production: its first version applied, one change that waits for a second yes, one rejected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.models import User

from evaluation.execution.data_gate import policy_of
from evaluation.models import Run
from evaluation.sample.workflows import SALES
from evaluation.services.change_evidence import gather_evidence
from panels.change_rules import Envelope
from panels.evidence import evidence_json
from panels.gate import Purpose
from panels.models import ChangeDecision, ChangeRequest, PanelVersion
from panels.selectors.change_sides import policy_json
from panels.selectors.panels import with_members
from panels.services.change_applications import apply_change_request
from panels.services.change_decisions import decide_change_request
from panels.services.change_requests import Change, open_change_request, submit_change_request
from panels.services.panels import add_version, create_panel
from panels.specs import PanelSpec, spec_of

Clock = Callable[[], datetime]

_APPROVED = ChangeDecision.Verdict.APPROVED.value
_REJECTED = ChangeDecision.Verdict.REJECTED.value
_RANGES = Envelope(weights=(0.5, 2.0), stop_at=(0.5, 1.0))


def open_sample_changes(run: Run, *, clock: Clock) -> None:
    """``run`` is the finished one of the sales assistant; what it measured is the evidence."""
    current, staged, reasoner = (_spec(run, arm.name) for arm in (SALES.baseline, *SALES.candidates[:2]))
    first = create_panel(
        name=SALES.name, description=SALES.description, spec=current, by=_person("author"), now=clock()
    )
    request = _submit(first, run, "The model in use today, so that changes start from it.", clock, baseline=True)
    _decide(request, "compliance", _APPROVED, "", clock)
    _decide(request, "approver", _APPROVED, "It is what runs today.", clock)
    request.refresh_from_db()
    apply_change_request(request=request, by=_person("approver"), now=clock())
    rejected = _submit(_next(first, reasoner, clock), run, "A reasoner settles what the cheap models dispute.", clock)
    _decide(rejected, "approver", _APPROVED, "", clock)
    _decide(rejected, "approver2", _REJECTED, "Shoppers will not wait that long for an answer.", clock)
    waiting = _submit(_next(first, staged, clock), run, "Two cheap models, and a strong one where they differ.", clock)
    _decide(waiting, "approver", _APPROVED, "More accurate and much cheaper on our own examples.", clock)


def _spec(run: Run, arm: str) -> PanelSpec:
    versions = PanelVersion.objects.filter(arms__experiment=run.experiment_id, arms__name=arm)
    return spec_of(with_members(versions).get())


def _next(first: PanelVersion, spec: PanelSpec, clock: Clock) -> PanelVersion:
    return add_version(panel=first.panel, spec=spec, by=_person("author"), now=clock())


def _submit(candidate: PanelVersion, run: Run, summary: str, clock: Clock, *, baseline: bool = False) -> ChangeRequest:
    policy, author = policy_of(run.experiment.workflow, purpose=Purpose.PRODUCT), _person("author")
    evidence = gather_evidence(candidate=candidate, run=run, policy=policy, now=clock())
    change = Change(
        candidate=candidate,
        summary=summary,
        policy=policy_json(policy),
        evidence=evidence_json(evidence),
        envelope=_RANGES,
        makes_baseline=baseline,
    )
    request = open_change_request(change=change, by=author, now=clock())
    return submit_change_request(request=request, by=author, now=clock())


def _decide(request: ChangeRequest, name: str, verdict: str, reason: str, clock: Clock) -> None:
    decide_change_request(
        request=request,
        verdict=verdict,
        reason=reason,
        signed_hash=request.signed_hash,
        by=_person(name),
        now=clock(),
    )


def _person(name: str) -> User:
    return User.objects.get(username=name)
