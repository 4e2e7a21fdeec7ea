"""Any provider that speaks OpenAI's chat completions."""

from __future__ import annotations

from panels.fusion.clients.completions import StreamedCompletion, result_of_payload
from panels.fusion.clients.exchange import HostedClient, WireFormat, canonical_body
from panels.fusion.types import ModelRequest


def request_body(request: ModelRequest, *, stream: bool = False) -> bytes:
    """The body as it goes over the wire. Its length bounds the input tokens from above."""
    sampling = request.sampling
    optional = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
    body: dict[str, object] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": sampling.max_tokens,
        **{key: value for key, value in optional.items() if value is not None},
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return canonical_body(body)


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


class OpenAIClient(HostedClient):
    """Asks ``base_url/chat/completions``."""

    wire = WireFormat(
        address=lambda base_url: base_url.strip().rstrip("/") + "/chat/completions",
        listing_address=lambda base_url: base_url.strip().rstrip("/") + "/models",
        headers=_headers,
        request_body=request_body,
        result_of_payload=result_of_payload,
        open_stream=StreamedCompletion,
    )
