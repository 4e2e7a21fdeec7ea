"""Change requests and their evidence on pages."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from fusion_site.lib.display import state
from fusion_site.lib.figures import format_money, format_signed
from panels.evidence import Estimate
from panels.models import ChangeRequest
from panels.selectors.change_requests import STATE_MARKS

register = template.Library()


@register.simple_tag
def change_mark(change: ChangeRequest) -> SafeString:
    known = ChangeRequest.State(change.state)
    return state(STATE_MARKS[known], known.label)


@register.filter
def signed_money(nanousd: float) -> str:
    """A difference of costs per request: ``+$0.0012``."""
    written = format_money(round(nanousd), 4)
    return f"+{written}" if nanousd > 0 else written


@register.filter
def signed_milliseconds(seconds: float) -> str:
    return f"{format_signed(seconds * 1000, 0)} ms"


@register.filter
def whole_milliseconds(seconds: float) -> str:
    """Without the unit, for a column whose head says it."""
    return f"{seconds * 1000:,.0f}"


@register.filter
def signed_share(share: float) -> str:
    return f"{format_signed(share * 100)} %"


@register.filter
def lower_end(estimate: Estimate) -> float:
    return estimate.value if estimate.low is None else estimate.low


@register.filter
def upper_end(estimate: Estimate) -> float:
    return estimate.value if estimate.high is None else estimate.high
