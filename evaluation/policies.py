"""What may happen in which state. Functions that raise; the boolean forms for templates are derived from them."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.models import Run

_ACTIVE = frozenset({Run.State.QUEUED, Run.State.RUNNING})
_HALTED = frozenset({Run.State.PAUSED, Run.State.CAPPED})


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


def is_pausable(run: Run) -> bool:
    return _holds(require_pausable, run)


def is_resumable(run: Run) -> bool:
    return _holds(require_resumable, run)


def is_cancellable(run: Run) -> bool:
    return _holds(require_cancellable, run)


def is_retryable(run: Run) -> bool:
    return _holds(require_retryable, run)


def _require(run: Run, states: frozenset[Run.State], action: str) -> None:
    if run.state not in states:
        raise WrongState(f"This run is {Run.State(run.state).label.lower()}; it cannot be {action} now.")


def _holds(require: Callable[[Run], None], run: Run) -> bool:
    try:
        require(run)
    except WrongState:
        return False
    return True
