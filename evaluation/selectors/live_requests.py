"""What was asked of a panel outside of runs, newest first."""

from __future__ import annotations

from datetime import datetime

from evaluation.models import LiveRequest
from fusion_site.lib.paging import Order, Page, page_of
from panels.models import Panel

AT_ONCE = 20
_NEWEST = Order(column="created_at", read=datetime.fromisoformat, descending=True)
# Texts may be long, and a list shows none of them.
_NOT_SHOWN = ("messages", "evidence", "schema", "choices", "vault", "integrity", "answer__text", "answer__analysis")


def list_live_requests(panel: Panel, *, after: str = "", before: str = "") -> Page[LiveRequest]:
    """Each with its answer, its panel version, and who asked."""
    rows = LiveRequest.objects.filter(panel_version__panel=panel)
    related = rows.select_related("answer", "panel_version", "asked_by").defer(*_NOT_SHOWN)
    return page_of(related, order=_NEWEST, after=after or None, before=before or None, size=AT_ONCE)
