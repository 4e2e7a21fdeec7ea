"""The calls of one answer on a common line of time, and how those that were tried again hang together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from evaluation.models import Call
from evaluation.selectors.runs import failure_words
from fusion_site.lib.figures import format_duration

_SAME_MOMENT_S = 60

# Sums of floats.
_CLOCK_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to a model. ``start`` and ``width`` place it on the timeline, in percent; None: not measured.

    ``pause_s`` is how long was waited before the next attempt; None if there is none, or somebody asked for it later.
    """

    call: Call
    failure: str
    start: float | None
    width: float | None
    pause_s: float | None = None


def attempts_of(calls: Sequence[Call], span_s: float | None) -> list[Attempt]:
    """One seat's, oldest first."""
    following = [*calls[1:], None]
    return [
        replace(attempt_of(call, span_s), pause_s=_pause_s(call, after))
        for call, after in zip(calls, following, strict=True)
    ]


def _pause_s(call: Call, following: Call | None) -> float | None:
    """An attempt that begins before the one before it ended belongs to a later try of the whole answer."""
    times = (call.offset_s, call.latency_s, None if following is None else following.offset_s)
    if None in times:
        return None
    began_s, latency_s, next_s = (seconds or 0.0 for seconds in times)
    pause_s = next_s - began_s - latency_s
    return max(0.0, pause_s) if pause_s > -_CLOCK_SLACK_S else None


def attempt_of(call: Call, span_s: float | None) -> Attempt:
    placed = bool(span_s) and call.latency_s is not None and call.offset_s is not None
    return Attempt(
        call=call,
        failure="" if call.is_ok else failure_words(call.outcome),
        start=call.offset_s / span_s * 100 if placed and span_s and call.offset_s is not None else None,
        width=max(0.5, call.latency_s / span_s * 100) if placed and span_s and call.latency_s is not None else None,
    )


def span_of(calls: Iterable[Call]) -> float | None:
    """When the last measured call ended, in seconds after the first began."""
    ends = [(call.offset_s or 0.0) + call.latency_s for call in calls if call.latency_s is not None]
    return max(ends, default=None)


def questions_of(calls: Sequence[Call], span_s: float | None) -> list[list[Attempt]]:
    """Attempts by question, oldest first: the one that bought the reply, or found it, is the last of each."""
    questions: list[list[Attempt]] = [[]]
    for call in calls:
        questions[-1].append(attempt_of(call, span_s))
        if call.is_ok or call.reply_key or call.reused_from_id is not None:
            questions.append([])
    return [question for question in questions if question]


def source_of(call: Call) -> str:
    """Where the reply came from: ``live``, ``reused`` or ``recorded``."""
    return "recorded" if call.recorded_output_id else "reused" if call.reused_from_id else "live"


def age_of(call: Call) -> str:
    """How old a reused reply was when it was used, in words; empty where it was bought for this very answer's run."""
    if call.reused_from is None:
        return ""
    seconds = (call.created_at - call.reused_from.created_at).total_seconds()
    return f"bought {format_duration(seconds)} before" if seconds >= _SAME_MOMENT_S else ""


def text_of(call: Call) -> str:
    """A reply's text stands once: with the call that bought it, or with the imported output."""
    if call.recorded_output is not None:
        return call.recorded_output.text
    return call.reused_from.text if call.reused_from is not None else call.text
