"""What may happen in which state. Functions that raise; the boolean forms for templates are derived from them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from evaluation.models import ApiKey, ReviewSession, Run, Workflow

T = TypeVar("T")

_ACTIVE = frozenset({Run.State.QUEUED, Run.State.RUNNING})
_HALTED = frozenset({Run.State.PAUSED, Run.State.CAPPED})
_Review = ReviewSession.State


class WrongState(Exception):
    """The action does not fit the state that the thing is in; the message says so to a person."""


def require_pausable(run: Run) -> None:
    _require(run, _ACTIVE, "paused")


def require_resumable(run: Run) -> None:
    _require(run, _HALTED, "resumed")


def require_cancellable(run: Run) -> None:
    _require(run, _ACTIVE | _HALTED, "cancelled")


def require_retryable(run: Run) -> None:
    _require(run, frozenset({Run.State.FINISHED}), "retried")


def masked_fields(*workflows: Workflow | None) -> tuple[str, ...] | None:
    """The sensitive fields of those that mask, of which there may be none; None where nothing is masked.

    A run asks for its experiment's workflow and for its dataset's own: data that is masked in one place is masked
    wherever it is used.
    """
    masking = [workflow for workflow in workflows if workflow is not None and workflow.masks]
    if not masking:
        return None
    return tuple(dict.fromkeys(name for workflow in masking for name in workflow.sensitive_fields))


def require_masking_changeable(run: Run) -> None:
    """What a workflow masks is the same from a run's first answer to its last."""
    if run.state in _ACTIVE | _HALTED:
        state = Run.State(run.state).label.lower()
        raise WrongState(
            f"Run {run.number} of “{run.experiment.title}” is {state}, and a run is masked in one way from its first "
            "answer to its last. Cancel it or wait for its end, then change the masking."
        )


def is_pausable(run: Run) -> bool:
    return _holds(require_pausable, run)


def is_resumable(run: Run) -> bool:
    return _holds(require_resumable, run)


def is_cancellable(run: Run) -> bool:
    return _holds(require_cancellable, run)


def is_retryable(run: Run) -> bool:
    return _holds(require_retryable, run)


def require_review_startable(session: ReviewSession) -> None:
    """A draft is opened, a paused session goes on."""
    _require_review(session, frozenset({_Review.DRAFT, _Review.PAUSED}), "be opened")


def require_review_pausable(session: ReviewSession) -> None:
    _require_review(session, frozenset({_Review.OPEN}), "be paused")


def require_review_closable(session: ReviewSession) -> None:
    _require_review(session, frozenset({_Review.DRAFT, _Review.OPEN, _Review.PAUSED}), "be closed")


def require_review_gives_items(session: ReviewSession) -> None:
    _require_review(session, frozenset({_Review.OPEN}), "hand out items")


def require_review_takes_votes(session: ReviewSession) -> None:
    """A pause does not lose the vote on which somebody was at work."""
    _require_review(session, frozenset({_Review.OPEN, _Review.PAUSED}), "take votes")


def is_review_startable(session: ReviewSession) -> bool:
    return _holds(require_review_startable, session)


def is_review_pausable(session: ReviewSession) -> bool:
    return _holds(require_review_pausable, session)


def is_review_closable(session: ReviewSession) -> bool:
    return _holds(require_review_closable, session)


def require_rotatable(key: ApiKey, now: datetime, *, is_replaced: bool) -> None:
    """Raises WrongState."""
    if not key.is_usable(now):
        raise WrongState("This key lets nobody in any more. Make a new one.")
    if is_replaced:
        raise WrongState("This key has been replaced already.")


def require_revocable(key: ApiKey) -> None:
    """Raises WrongState."""
    if key.revoked_at is not None:
        raise WrongState("This key is revoked already.")


def require_key_scope(slug: str, scope: Collection[str]) -> None:
    """Raises WrongState where a key is not for the workflow; ``scope`` are the slugs of those it is for."""
    if slug not in scope:
        raise WrongState(f"This key is not for the workflow {slug}.")


def _require_review(session: ReviewSession, states: frozenset[ReviewSession.State], action: str) -> None:
    if session.state not in states:
        state = ReviewSession.State(session.state).label.lower()
        raise WrongState(f"This review session is {state}; it cannot {action} now.")


def _require(run: Run, states: frozenset[Run.State], action: str) -> None:
    if run.state not in states:
        raise WrongState(f"This run is {Run.State(run.state).label.lower()}; it cannot be {action} now.")


def _holds(require: Callable[[T], None], thing: T) -> bool:
    try:
        require(thing)
    except WrongState:
        return False
    return True
