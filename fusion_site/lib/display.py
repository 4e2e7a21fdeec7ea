"""Template tags and filters of every page: marks drawn as SVG, figures written as words.

Geometry lives in SVG attributes, never in ``style``: the content policy allows no inline style. Everything a caller
passes is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from django import template
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from fusion_site.lib import figures
from fusion_site.lib.chart import Cell

register = template.Library()

STATE_WORDS = {"pass": "Pass", "risk": "At risk", "fail": "Fail", "info": "Info", "none": "No data"}
MESSAGE_STATES = {"success": "pass", "warning": "risk", "error": "fail"}
PAGE_KEYS = ("after", "before")
NOTHING = mark_safe("")

register.filter("money", figures.format_money)
register.filter("percent", figures.format_percent)
register.filter("points", figures.format_points)
register.filter("interval", figures.format_interval)
register.filter("signed_interval", figures.format_signed_interval)
register.filter("milliseconds", figures.format_milliseconds)
register.filter("seconds", figures.format_seconds)
register.filter("count", figures.format_count)
register.filter("duration", figures.format_duration)
register.filter("left", figures.format_left)


@register.filter
def number(value: float | None, digits: int = 1) -> str:
    return "no data" if value is None else figures.format_number(value, digits)


@register.filter
def ago(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """``4 min ago`` in a ``<time>`` that holds the full moment. The clock is read only where no ``now`` is given."""
    if moment is None:
        return format_html("{}", figures.format_ago(None, timezone.now()))
    words = figures.format_ago(moment, now or timezone.now())
    full = timezone.localtime(moment).strftime("%d %b %Y, %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), full, words)


@register.filter
def message_state(tags: str) -> str:
    """The state of a message from Django's level tag."""
    return next((MESSAGE_STATES[tag] for tag in tags.split() if tag in MESSAGE_STATES), "info")


@register.filter
def initials(user: object) -> str:
    """Two letters for a person, from the user's short text (``mara.lind`` → ML)."""
    words = str(user).replace("@", " ").replace(".", " ").replace("_", " ").replace("-", " ").split()
    letters = words[0][:2] if len(words) == 1 else "".join(word[0] for word in words[:2])
    return letters.upper()


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    classes = f"icon {extra}".strip()
    return format_html(
        '<svg class="{}" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-{}"/></svg>', classes, name
    )


@register.simple_tag
def key(series: str) -> SafeString:
    """The marker of a chart series (base, panel, best, arb, pink, sky), for table rows and labels."""
    return format_html(
        '<svg class="key {}" viewBox="0 0 12 12" aria-hidden="true"><use href="#m-{}"/></svg>', series, series
    )


@register.simple_tag
def state(name: str, word: str = "") -> SafeString:
    """A state is always a shape and a word."""
    return format_html(
        '<span class="state" data-state="{}">{}{}</span>', name, icon(name), word or STATE_WORDS.get(name, name)
    )


@register.simple_tag
def figure(value: object, unit: str = "", interval: str = "", n: int | None = None) -> SafeString:
    """Value, unit, interval, n, in this order. A missing value is its word alone."""
    if value is None or value == "":
        return mark_safe('<span class="fig muted">no data</span>')
    return format_html(
        '<span class="fig"><b>{}</b>{}{}{}</span>',
        value,
        format_html('<span class="u"> {}</span>', unit) if unit else NOTHING,
        _aside(interval) if interval else NOTHING,
        _aside(f"n {n:,}") if n is not None else NOTHING,
    )


def _aside(text: str) -> SafeString:
    return format_html(' <span class="ci">{}</span>', text)


@register.simple_tag
def gauge(  # noqa: PLR0913  (what a drawing needs is what a template names)
    *,
    state: str,
    low: float,
    high: float,
    point: float,
    target: float,
    minimum: float,
    maximum: float,
    words: str,
    label: str,
    good: str = "below",
    reference: float | None = None,
) -> SafeString:
    """An interval against a target, all in one unit. ``words`` names the target under the scale, ``label`` the finding.

    The shaded zone is the good side of the target: ``good`` is ``below`` or ``above``.
    """

    def x(value: float) -> str:
        return f"{_share_of(value, minimum, maximum) * 100:.1f}%"

    at = _share_of(target, minimum, maximum) * 100
    parts = [
        format_html('<svg class="gauge" data-state="{}" role="img" aria-label="{}">', state, label),
        format_html(
            '<rect class="zone" x="{}" y="2" width="{}" height="12"/>',
            "0%" if good == "below" else x(target),
            f"{at if good == 'below' else 100 - at:.1f}%",
        ),
        mark_safe('<line class="axis" x1="0" x2="100%" y1="14" y2="14"/>'),
        NOTHING if reference is None else _upright("ref", x(reference), 2, 14),
        format_html('<line class="span" x1="{}" x2="{}" y1="8" y2="8"/>', x(low), x(high)),
        format_html('<circle class="pt" cx="{}" cy="8" r="3.75"/>', x(point)),
        _upright("target", x(target), 0, 16),
        format_html('<text x="{}" y="26" text-anchor="{}">{}</text></svg>', x(target), _text_anchor(at), words),
    ]
    return format_html_join("", "{}", ((part,) for part in parts))


def _share_of(value: float, minimum: float, maximum: float) -> float:
    """Position on a scale, held inside it: an interval may reach past what the scale shows."""
    span = maximum - minimum
    return min(1.0, max(0.0, (value - minimum) / span)) if span > 0 else 0.0


def _upright(name: str, x: str, top: int, bottom: int) -> SafeString:
    return format_html('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>', name, x, x, top, bottom)


def _text_anchor(percent: float) -> str:
    if percent <= 15:
        return "start"
    return "end" if percent >= 85 else "middle"


@register.simple_tag
def votes(clusters: Sequence[Sequence[float]], arbiter: bool = False, width: int = 84, label: str = "") -> SafeString:
    """One rectangle a member, width its weight, a gap between groups; the leading group comes first.

    Weights may have any scale. A silent member belongs in its own last group.
    """
    members = sum(len(cluster) for cluster in clusters)
    words = label or _votes_label(clusters, members, arbiter)
    mark = format_html('<path class="arb" d="M{} 1.5l4.5 4.5-4.5 4.5-4.5-4.5z"/>', width - 6) if arbiter else NOTHING
    return format_html(
        '<svg class="votes" width="{}" height="12" role="img" aria-label="{}">{}{}</svg>',
        width,
        words,
        format_html_join(
            "",
            '<rect class="v{}" x="{}" y="{}" width="{}" height="{}" rx="1"/>',
            _vote_boxes(clusters, members, width),
        ),
        mark,
    )


def _votes_label(clusters: Sequence[Sequence[float]], members: int, arbiter: bool) -> str:
    leading = len(clusters[0]) if clusters else 0
    return f"{leading} of {members} members agree{', arbiter called' if arbiter else ''}"


def _vote_boxes(
    clusters: Sequence[Sequence[float]], members: int, width: int
) -> Iterable[tuple[int, str, str, str, str]]:
    """Class, x, y, width, height of every member. Room at the right is kept for the arbiter's mark."""
    total = sum(sum(cluster) for cluster in clusters) or 1.0
    room = width - 14 - max(0, members - 1) * 1.5 - max(0, len(clusters) - 1) * 3.5
    x = 0.0
    for rank, cluster in enumerate(clusters, start=1):
        inset = 0.0 if rank == 1 else 0.5
        for weight in cluster:
            wide = weight / total * room
            drawn = max(1.0, wide - 2 * inset)
            yield min(rank, 3), f"{x + inset:.1f}", f"{1 + inset:g}", f"{drawn:.1f}", f"{10 - 2 * inset:g}"
            x += wide + 1.5
        x += 3.5


@register.simple_tag
def spark(
    values: Sequence[float | None],
    low: float | None = None,
    high: float | None = None,
    target: float | None = None,
    label: str = "",
) -> SafeString:
    """A line of at most a hundred points, with gaps where there is none.

    Without two of them there is nothing to draw, and it says so.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return mark_safe('<span class="muted small">too early</span>')
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high

    def y(value: float) -> str:
        return f"{26 - _share_of(value, bottom, top) * 24:.1f}"

    step = 100 / (len(values) - 1)
    points = [None if value is None else f"{index * step:.1f},{y(value)}" for index, value in enumerate(values)]
    rule = "" if target is None else format_html('<line class="t" x1="0" x2="100" y1="{0}" y2="{0}"/>', y(target))
    return format_html(
        '<svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>',
        label or f"from {known[0]:g} to {known[-1]:g}",
        rule,
        format_html_join("", '<polyline class="l" points="{}"/>', ((line,) for line in _unbroken(points))),
    )


def _unbroken(points: Sequence[str | None]) -> Iterable[str]:
    """The lines between the gaps; a lone point becomes one of no length, which its round ends make a dot."""
    for is_gap, run in groupby(points, key=lambda point: point is None):
        if not is_gap:
            line = [point for point in run if point is not None]
            yield " ".join(line if len(line) > 1 else line * 2)


@register.simple_tag
def chart_rows(rows: Iterable[Sequence[str | Cell]]) -> SafeString:
    """The body of the table behind a chart. A page of small charts has thousands of cells: too many for a template."""
    return format_html_join("", "<tr>{}</tr>", ((_chart_cells(row),) for row in rows))


def _chart_cells(row: Sequence[str | Cell]) -> SafeString:
    head, *cells = map(_cell_words, row)
    return format_html('<th scope="row">{}</th>{}', head, format_html_join("", '<td class="n">{}</td>', zip(cells)))


def _cell_words(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else format_html('<a href="{}">{}</a>', cell.url, cell.text)


@register.simple_tag
def bar(share: float | None, label: str = "") -> SafeString:
    """A horizontal bar for ``.hbars``: the share of 0 to 1 that is filled."""
    filled = f"{_share_of(share or 0.0, 0.0, 1.0) * 100:.1f}%"
    return format_html(
        '<svg role="img" aria-label="{}"><rect class="bg" width="100%" height="8" rx="2"/>'
        '<rect class="fg" width="{}" height="8" rx="2"/></svg>',
        label or ("no data" if share is None else filled.replace("%", " %")),
        filled,
    )


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: object) -> str:
    """The page's query string with keys changed; None or an empty text removes a key, a list sets several values.

    Any change but of the page itself starts at the first page again, so the paging keys are dropped.
    """
    asked = _query_of(context)
    if not set(changes) & set(PAGE_KEYS):
        changes = dict.fromkeys(PAGE_KEYS) | changes
    for name, value in changes.items():
        _change_query(asked, name, value)
    return f"?{asked.urlencode()}"


def _query_of(context: template.Context) -> QueryDict:
    request = context.get("request")
    return QueryDict(mutable=True) if request is None else request.GET.copy()


def _change_query(asked: QueryDict, name: str, value: object) -> None:
    if value is None or value == "":
        asked.pop(name, None)
    else:
        asked.setlist(name, [str(one) for one in (value if isinstance(value, list | tuple) else [value])])


@register.simple_tag(takes_context=True)
def keep_query(context: template.Context, *names: str) -> SafeString:
    """Hidden inputs for the named keys of the query, so that a filter form sent by GET keeps them."""
    asked = _query_of(context)
    pairs = ((name, value) for name in names for value in asked.getlist(name))
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag(takes_context=True)
def sort_head(
    context: template.Context, name: str, label: str, note: str = "", numeric: bool = False, default: str = ""
) -> SafeString:
    """A column head that sorts: ``?sort=name``, then ``?sort=-name``. ``default`` is the order without a choice."""
    current = _query_of(context).get("sort") or default
    order = {name: "ascending", f"-{name}": "descending"}.get(str(current))
    following = f"-{name}" if order == "ascending" or (numeric and order is None) else name
    return format_html(
        '<th scope="col"{}{}><a href="{}">{}{}</a>{}</th>',
        mark_safe(' class="n"') if numeric else NOTHING,
        format_html(' aria-sort="{}"', order) if order else NOTHING,
        query(context, sort=following),
        label,
        icon("sort") if order else NOTHING,
        format_html("<small>{}</small>", note) if note else NOTHING,
    )


@register.simple_tag(takes_context=True)
def nav_link(context: template.Context, label: str, name: str, *rooms: str) -> SafeString:
    """A main navigation entry. ``rooms`` are path prefixes that belong to it. A room that is not built has no link."""
    try:
        address = reverse(name)
    except NoReverseMatch:
        return NOTHING
    path = context["request"].path if "request" in context else ""
    current = "page" if path == address else "true" if path.startswith(rooms) else ""
    mark = format_html(' aria-current="{}"', current) if current else NOTHING
    return format_html('<li><a href="{}"{}>{}</a></li>', address, mark, label)
