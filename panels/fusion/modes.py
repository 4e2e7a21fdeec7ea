"""Modes: presets over when the schedule may stop and when the arbiter is asked."""

from __future__ import annotations

from dataclasses import replace

from panels.fusion.types import ArbiterWhen, Panel

BUDGET, QUALITY = "budget", "quality"
# Barely more than half, for panels and weights of any size that is in use.
LEAST_STOP_AT = 0.501
_DIGITS = 6


class UnknownMode(ValueError):
    """A mode that is neither a name nor a number from 0 to 1."""

    def __init__(self, mode: object) -> None:
        super().__init__(f"The mode must be budget, quality or a number from 0 to 1, not {mode!r}.")


def apply_mode(panel: Panel, mode: str | float) -> Panel:
    """The panel in this mode; ``budget`` is 0 and ``quality`` 1. Raises UnknownMode.

    Below 1 the schedule may stop at a consensus of 0.501 + 0.499 * mode, and the arbiter is asked only about what is
    disputed. At 1 the schedule never stops early, not even in the middle of a stage (so a ``min_replies`` goes too),
    and the arbiter is always asked. A higher mode never stops at less.
    """
    stop_at = stop_at_of(mode)
    timing = panel.timing if stop_at is not None else replace(panel.timing, min_replies=None)
    when = ArbiterWhen.DISPUTED if stop_at is not None else ArbiterWhen.ALWAYS
    arbiter = None if panel.arbiter is None else replace(panel.arbiter, when=when)
    return replace(panel, stop_at=stop_at, arbiter=arbiter, timing=timing)


def stop_at_of(mode: str | float) -> float | None:
    """The consensus at which the schedule may stop in this mode; None is never. Raises UnknownMode."""
    degree = _degree(mode)
    return None if degree == 1 else round(LEAST_STOP_AT + (1 - LEAST_STOP_AT) * degree, _DIGITS)


def mode_of(text: str) -> str | float:
    """A mode as people write it: a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text


def _degree(mode: str | float) -> float:
    if isinstance(mode, str):
        if mode not in {BUDGET, QUALITY}:
            raise UnknownMode(mode)
        return float(mode == QUALITY)
    if isinstance(mode, bool) or not 0 <= mode <= 1:
        raise UnknownMode(mode)
    return float(mode)
