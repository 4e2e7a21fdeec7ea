"""Secrets for one purpose each, so that none of them gives away another, or the key they come from."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings


def derived_secret(purpose: str) -> bytes:
    """32 bytes that stay the same as long as ``SECRET_KEY`` does: HMAC-SHA256 of the purpose's name under it."""
    return hmac.new(settings.SECRET_KEY.encode(), f"quorum {purpose}".encode(), hashlib.sha256).digest()
