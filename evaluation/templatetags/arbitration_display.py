"""The marks of a claim × member matrix."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fusion_site.lib.display import state
from panels.fusion.arbitration import Finding, Stance

register = template.Library()

_FINDINGS = {
    Finding.SUPPORTED: ("pass", "Supported"),
    Finding.CONTRADICTED: ("fail", "Contradicted"),
    Finding.NOT_FOUND: ("risk", "Not found"),
}
_STANCES = {
    Stance.SUPPORTS: ("check", "s", "says it"),
    Stance.CONTRADICTS: ("cross", "x", "contradicts it"),
    Stance.SILENT: ("silent", "o", "silent"),
}


@register.simple_tag
def finding_mark(finding: str) -> SafeString:
    """What the evidence does with a claim."""
    mark, word = _FINDINGS[Finding(finding)]
    return state(mark, word)


@register.simple_tag
def stance_mark(stance: str) -> SafeString:
    """What one member does with a claim: a shape that says its word to those who cannot see it."""
    name, look, word = _STANCES[Stance(stance)]
    return format_html(
        '<svg class="icon mk {}" viewBox="0 0 16 16" role="img" aria-label="{}"><use href="#i-{}"/></svg>',
        look,
        word,
        name,
    )
