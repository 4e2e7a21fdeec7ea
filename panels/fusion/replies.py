"""When two requests would bring the same reply, as far as anyone can tell before asking."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from panels.fusion.types import Member, ModelRequest

NOT_MASKED = 0


def seat_twins(members: Sequence[Member]) -> tuple[int, ...]:
    """For each seat, how many earlier seats of the panel have the same model and sampling."""
    identities = [(member.model, member.sampling) for member in members]
    return tuple(identities[:seat].count(identity) for seat, identity in enumerate(identities))


def reply_key(*, provider: str, request: ModelRequest, masking: int | str = NOT_MASKED) -> str:
    """SHA-256 (hex) under which a reply is found again: provider slug, model, messages, sampling, masking, twin.

    ``request.model`` is the provider's own model id. Sampling settings that are not sent count as not set. Masked
    requests are hashed masked, with ``panels.fusion.privacy.trust.masking_of`` as ``masking``.
    """
    sampling = request.sampling
    content = {
        "provider": provider,
        "model": request.model,
        "messages": [[message.role, message.content] for message in request.messages],
        "sampling": [sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.seed],
        "masking": masking,
        "twin": request.twin,
    }
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
