"""Who came in, who left, and who was turned away, for the audit chain.

Django tells of these by signals alone (people also come in through the admin's own page), so this is the one place
that listens to any.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.utils import timezone

from panels.services.audit import record_audit

# No login name looks like this. What was typed is not kept: people type their password there.
UNKNOWN = "(unknown)"


def listen_to_sign_ins() -> None:
    user_logged_in.connect(_record_sign_in, dispatch_uid="audit sign-in")
    user_logged_out.connect(_record_sign_out, dispatch_uid="audit sign-out")
    user_login_failed.connect(_record_failure, dispatch_uid="audit failed sign-in")


def _record_sign_in(*, user: User, **_: Any) -> None:
    _record("user.signed_in", user.get_username(), actor=user)


def _record_sign_out(*, user: User | None, **_: Any) -> None:
    # Also sent where nobody was signed in.
    if user is not None:
        _record("user.signed_out", user.get_username(), actor=user)


def _record_failure(*, credentials: dict[str, Any], **_: Any) -> None:
    """Nobody is the actor: that it was the person named is what could not be shown."""
    typed = str(credentials.get("username") or "").replace("\0", "")
    known = User.objects.filter(username=typed).exists()
    _record("user.sign_in_failed", typed if known else UNKNOWN, actor=None)


@transaction.atomic
def _record(action: str, name: str, *, actor: User | None) -> None:
    record_audit(action=action, actor=actor, subject=f"user:{name}", detail={}, now=timezone.now())
