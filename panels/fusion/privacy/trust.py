"""Who may see what: a member marked in-house the raw text, every other member and the arbiter placeholders."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace

from panels.fusion.privacy.masking import MASKING_VERSION, Masked
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.unmasking import unmask
from panels.fusion.types import Message


def view_for(masked: Masked, *, member_is_in_house: bool) -> tuple[Message, ...]:
    """The messages as this member gets them. What an in-house member answers must be masked before anything else."""
    if not member_is_in_house:
        return masked.messages
    return tuple(
        replace(message, content=unmask(message.content, masked.placeholder_map).text) for message in masked.messages
    )


def masking_of(masked: Masked, *, member_is_in_house: bool, secret: bytes) -> int | str:
    """The ``masking`` of ``reply_key``, which always takes the masked messages, whoever is asked.

    An in-house member has seen the values, so its reply holds for these values alone: a keyed digest of them, under
    ``secret``, tells them apart without giving them away.
    """
    if not member_is_in_house:
        return MASKING_VERSION
    return f"{MASKING_VERSION}:{_digest(masked.placeholder_map, secret)}"


def can_reuse(text: str, masked: Masked, *, member_is_in_house: bool) -> bool:
    """Whether a kept, masked reply says what it said when it was bought.

    What an in-house member brought up itself was numbered in that request; here the same placeholder may stand for
    something else, or for nothing.
    """
    return not member_is_in_house or unmask(text, masked.placeholder_map).count.lost == 0


def _digest(placeholder_map: PlaceholderMap, secret: bytes) -> str:
    entries = [[str(entry.placeholder), entry.original] for entry in placeholder_map.entries]
    return hmac.new(secret, json.dumps(entries).encode(), hashlib.sha256).hexdigest()
