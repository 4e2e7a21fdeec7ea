"""When two requests would bring the same reply, as far as anyone can tell before asking."""

from __future__ import annotations

import hashlib
import json

from panels.fusion.types import ModelRequest

# Nothing is masked yet; a reply bought for a masked prompt will carry another number.
MASKING_VERSION = 0


def reply_key(*, provider: str, request: ModelRequest) -> str:
    """SHA-256 (hex) under which a reply is found again: provider slug, model, messages, sampling, masking, twin.

    ``request.model`` is the provider's own model id. Sampling settings that are not sent count as not set.
    """
    sampling = request.sampling
    content = {
        "provider": provider,
        "model": request.model,
        "messages": [[message.role, message.content] for message in request.messages],
        "sampling": [sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.seed],
        "masking": MASKING_VERSION,
        "twin": request.twin,
    }
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
