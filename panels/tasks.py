"""Background work of panels: what is due stands in the database, a message only wakes a worker."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from panels.services.change_applications import apply_scheduled
from panels.services.change_requests import expire_change_requests


@shared_task(name="panels.sweep_changes")
def sweep_changes() -> None:
    """Closes change requests whose time is over, and applies those that are due."""
    now = timezone.now()
    expire_change_requests(now=now)
    apply_scheduled(now=now)
