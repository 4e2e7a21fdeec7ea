"""Numbers as words, as every page writes them. Missing is a word, minus is the true sign, thousands carry a comma."""

from __future__ import annotations

from datetime import datetime, timedelta

MINUS = "\N{MINUS SIGN}"
NANO = 1_000_000_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def format_money(nanousd: int | None, least_digits: int = 0) -> str:
    """Nano-dollars as dollars: cents from a dollar on, four digits below, two significant digits below $0.001.

    ``least_digits`` sets the fewest decimals, for a column of costs per request (4). Unknown is never 0.
    """
    if nanousd is None:
        return "unknown"
    digits = max(_money_digits(abs(nanousd)), least_digits)
    return f"{MINUS if nanousd < 0 else ''}${abs(nanousd) / NANO:,.{digits}f}"


def _money_digits(nanousd: int) -> int:
    if nanousd >= NANO or nanousd % (NANO // 100) == 0:
        return 2
    return min(9, max(4, 11 - len(str(nanousd))))


def format_percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in percent, without the unit: the column head or the figure carries it."""
    return "no data" if share is None else format_number(share * 100, digits)


def format_points(difference: float | None, digits: int = 1) -> str:
    """A difference of two shares in percentage points, always signed."""
    return "no data" if difference is None else f"{format_signed(difference * 100, digits)} pt"


def format_number(value: float, digits: int = 1) -> str:
    """Thousands with a comma, true minus, and no minus before a rounded zero."""
    text = f"{abs(value):,.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and _is_not_zero(text) else text


def format_signed(value: float, digits: int = 1) -> str:
    text = format_number(value, digits)
    return f"+{text}" if value > 0 and _is_not_zero(text) else text


def _is_not_zero(text: str) -> bool:
    return bool(text.strip("0.,"))


def format_interval(bounds: tuple[float, float] | None, digits: int = 1) -> str:
    """Bounds of a share (0 to 1) in percent: ``3.0 to 5.5``."""
    if bounds is None:
        return "no interval"
    low, high = bounds
    return f"{format_number(low * 100, digits)} to {format_number(high * 100, digits)}"


def format_signed_interval(bounds: tuple[float, float] | None, digits: int = 1) -> str:
    """Bounds of a difference of shares in percentage points: ``+2.5 to +6.5``."""
    if bounds is None:
        return "no interval"
    low, high = bounds
    return f"{format_signed(low * 100, digits)} to {format_signed(high * 100, digits)}"


def format_milliseconds(milliseconds: float | None) -> str:
    return "not measured" if milliseconds is None else f"{milliseconds:,.0f} ms"


def format_seconds(seconds: float | None) -> str:
    """A latency given in seconds: whole milliseconds below 10 s, seconds with one decimal above."""
    if seconds is None:
        return "not measured"
    return format_milliseconds(seconds * 1000) if seconds < 10 else f"{seconds:,.1f} s"


def format_count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def format_duration(seconds: float | None) -> str:
    """How long something takes or took, in the two largest units that matter."""
    if seconds is None:
        return "unknown"
    if seconds < MINUTE:
        return f"{seconds:.0f} s" if round(seconds) < MINUTE else "1 min"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min" if round(seconds / MINUTE) < MINUTE else "1 h"
    return _long_duration(round(seconds / MINUTE))


def _long_duration(minutes: int) -> str:
    if minutes >= 48 * 60:
        return f"{round(minutes / (24 * 60))} days"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def format_left(seconds: float | None) -> str:
    """Time left is an estimate and says so."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 5:
        return "a few seconds left"
    return f"about {format_duration(_rounded(seconds))} left"


def _rounded(seconds: float) -> float:
    step = 5 if seconds < MINUTE else MINUTE
    return round(seconds / step) * step


def format_ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    passed = now - moment
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed.seconds // MINUTE} min ago"
    if passed < timedelta(days=1):
        return f"{passed.seconds // HOUR} h ago"
    return _days_ago(moment, passed.days)


def _days_ago(moment: datetime, days: int) -> str:
    if days < 14:
        return f"{days} day{'s' if days > 1 else ''} ago"
    return f"{moment.day} {moment:%b %Y}"
