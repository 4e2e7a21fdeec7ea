"""E-mail to who must act. What is to be done also stands on the pages, so a mail that is lost loses nothing."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.urls import reverse

from panels.models import ChangeRequest
from panels.selectors.change_waits import people_asked

_log = logging.getLogger(__name__)


def tell_deciders(*, request_id: int) -> None:
    """To everybody whose decision, or review of a fall-back, is asked for."""
    request = _load(request_id)
    if request.tier == ChangeRequest.Tier.FALL_BACK:
        wish = f"{_name(request)} was fallen back to without approval. Please look at it."
    else:
        wish = f"{_name(request)} waits for your decision until {request.expires_at:%d %b %Y, %H:%M %Z}."
    _send(request, people_asked(request), subject=f"Please decide: {_name(request)}", lines=[wish])


def tell_author(*, request_id: int, outcome: str) -> None:
    """To whoever wrote the request or edited it."""
    request = _load(request_id)
    people = User.objects.filter(pk__in=request.contributors.values("person"), is_active=True)
    lines = [f"{_name(request)} {outcome}.", request.refusal]
    _send(request, people, subject=f"{_name(request)} {outcome}", lines=lines)


def _load(pk: int) -> ChangeRequest:
    return ChangeRequest.objects.select_related("panel", "candidate", "created_by").get(pk=pk)


def _name(request: ChangeRequest) -> str:
    return f"{request.panel.name} v{request.candidate.number}"


def _send(request: ChangeRequest, people: Iterable[User], *, subject: str, lines: list[str]) -> None:
    addresses = sorted({person.email for person in people if person.email})
    page = f"{settings.PUBLIC_URL}{reverse('panels:change', args=[request.pk])}"
    text = "\n\n".join([*filter(None, lines), f"“{request.summary}”", page])
    for address in addresses:
        _deliver(subject, text, address)


def _deliver(subject: str, text: str, address: str) -> None:
    """One mail each: nobody sees who else was asked."""
    try:
        send_mail(" ".join(subject.split()), text, None, [address])
    except (OSError, smtplib.SMTPException):
        _log.exception("a notice could not be sent")
