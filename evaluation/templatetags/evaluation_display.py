"""Marks and words of evaluation pages, on top of those that every page has."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from evaluation.models import ReviewSession, Run
from evaluation.selectors.findings import format_confidence
from evaluation.selectors.runs import failure_words
from evaluation.stats.interval import Interval
from evaluation.stats.review_levels import Verdict
from fusion_site.lib.display import state
from fusion_site.lib.figures import format_signed
from fusion_site.lib.markdown import render_markdown
from panels.fusion.json_text import canonical_json, read_object

register = template.Library()

RUN_MARKS = {
    Run.State.QUEUED: "none",
    Run.State.RUNNING: "info",
    Run.State.PAUSED: "info",
    Run.State.CAPPED: "risk",
    Run.State.CANCELLED: "none",
    Run.State.FINISHED: "pass",
}
REVIEW_MARKS = {
    ReviewSession.State.DRAFT: "none",
    ReviewSession.State.OPEN: "info",
    ReviewSession.State.PAUSED: "risk",
    ReviewSession.State.CLOSED: "pass",
}
VERDICT_MARKS = {
    Verdict.PASS: ("pass", "Pass"),
    Verdict.FAIL: ("fail", "Fail"),
    Verdict.CANT_TELL: ("info", "Can’t tell"),
    Verdict.UNDECIDED: ("risk", "Undecided"),
    Verdict.UNJUDGED: ("none", "No answer"),
}

register.filter("model_text", render_markdown)
register.filter("failure_words", failure_words)
register.filter("confidence", format_confidence)


@register.filter
def bounds(interval: Interval | None) -> tuple[float, float] | None:
    """The two ends of an interval, as the formatting filters take them."""
    return None if interval is None else (interval.low, interval.high)


@register.filter
def p_value(value: float | None) -> str:
    if value is None:
        return "none"
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def milliseconds_of(seconds: float) -> str:
    """Seconds as whole milliseconds, for a column whose head says so."""
    return f"{seconds * 1000:,.0f}"


@register.filter
def signed_percent(share: float) -> str:
    return format_signed(share * 100)


@register.simple_tag
def run_mark(run: Run) -> SafeString:
    return state(RUN_MARKS[Run.State(run.state)], Run.State(run.state).label)


@register.simple_tag
def review_mark(session: ReviewSession) -> SafeString:
    return state(REVIEW_MARKS[ReviewSession.State(session.state)], ReviewSession.State(session.state).label)


@register.simple_tag
def verdict_mark(verdict: Verdict) -> SafeString:
    """What reviewers made of the facts of one answer."""
    return state(*VERDICT_MARKS[verdict])


@register.simple_tag
def answer_mark(outcome: str, correct: bool | None) -> SafeString:
    """Right or wrong, and what kept it from being either."""
    if outcome == "failed":
        return state("fail", "Calls failed")
    if outcome == "abstained":
        return state("fail" if correct is False else "none", "No answer")
    if correct is None:
        return state("none", "Unscored")
    return state("pass", "Right") if correct else state("fail", "Wrong")


@register.filter
def in_short(text: str | None) -> str:
    """A JSON answer as ``field value, field value``, to be cut off somewhere; any other text as it is."""
    answer = read_object(text) if text and text.startswith("{") else None
    if not answer:
        return text or ""
    return ", ".join(f"{name} {_said(value)}" for name, value in answer.items())


def _said(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value)
