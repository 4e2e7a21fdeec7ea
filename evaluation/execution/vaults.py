"""Placeholder maps have a time to live. What is past it cannot be opened, and is taken away."""

from __future__ import annotations

from datetime import datetime

from evaluation.models import LiveRequest


def forget_expired_maps(*, now: datetime) -> int:
    """Deletes the sealed maps whose time is over; how many they were. Their placeholders stay as they are."""
    return LiveRequest.objects.filter(vault_until__lte=now).update(vault=None, vault_until=None)
