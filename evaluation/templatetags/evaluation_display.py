"""Marks and words of evaluation pages, on top of those that every page has."""

from __future__ import annotations

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from evaluation.models import Run
from evaluation.selectors.runs import failure_words
from evaluation.stats.interval import Interval
from fusion_site.lib.display import state
from fusion_site.lib.figures import format_signed

register = template.Library()

RUN_MARKS = {
    Run.State.QUEUED: "none",
    Run.State.RUNNING: "info",
    Run.State.PAUSED: "info",
    Run.State.CAPPED: "risk",
    Run.State.CANCELLED: "none",
    Run.State.FINISHED: "pass",
}
# What a model wrote is hostile: no links, no images, nothing that loads or leads anywhere.
ALLOWED_TAGS = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_HEADINGS = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6"}
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["image", "link"])

register.filter("failure_words", failure_words)


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
def model_text(text: str) -> SafeString:
    """A model's text as formatted paragraphs; its own HTML shows as text, headings stay below those of the page."""
    tokens = _markdown.parse(text)
    for token in tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return mark_safe(nh3.clean(html, tags=ALLOWED_TAGS, attributes={}, link_rel=None))
