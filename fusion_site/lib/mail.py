"""Django's mail settings out of one address, as the database has one."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

_SCHEMES = {"smtp": 587, "smtps": 465}
_CONSOLE = "django.core.mail.backends.console.EmailBackend"
# Whoever approves something waits for the mail to be handed over.
_TIMEOUT_S = 5


def mail_settings(url: str | None) -> dict[str, Any]:
    """``smtps://`` speaks TLS from the start, ``smtp://`` once connected where it names a user. ValueError if wrong."""
    if url is None:
        return {"EMAIL_BACKEND": _CONSOLE}
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or not _has_port(parts):
        raise ValueError("it is not like smtp://user:password@host:587")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or _SCHEMES[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp" and bool(parts.username),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": _TIMEOUT_S,
    }


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or left out. What the library says of a wrong one may hold the password."""
    try:
        return parts.port != 0
    except ValueError:
        return False
