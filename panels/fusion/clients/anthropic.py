"""Any provider that speaks Anthropic's messages."""

from __future__ import annotations

from panels.fusion.clients.exchange import HostedClient, WireFormat, canonical_body
from panels.fusion.clients.messages import StreamedMessage, result_of_payload
from panels.fusion.types import ModelRequest

API_VERSION = "2023-06-01"
# As many as a page may have; without the word it is twenty.
_LISTED_AT_ONCE = 1000


def request_body(request: ModelRequest, *, stream: bool = False) -> bytes:
    """The body as it goes over the wire. Its length bounds the input tokens from above.

    System messages stand outside the others, joined where there are several. A seed is not sent: there is none.
    """
    sampling = request.sampling
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    optional = {"system": system or None, "temperature": sampling.temperature, "top_p": sampling.top_p}
    body: dict[str, object] = {
        "model": request.model,
        "messages": [
            {"role": message.role, "content": message.content}
            for message in request.messages
            if message.role != "system"
        ],
        "max_tokens": sampling.max_tokens,
        **{key: value for key, value in optional.items() if value is not None},
    }
    if stream:
        body["stream"] = True
    return canonical_body(body)


def _headers(key: str) -> dict[str, str]:
    version = {"anthropic-version": API_VERSION}
    return version | {"x-api-key": key} if key else version


def _address(base_url: str, path: str) -> str:
    """The API's version is part of the path, not of the base URL, where people enter it all the same."""
    return base_url.strip().rstrip("/").removesuffix("/v1") + path


class AnthropicClient(HostedClient):
    """Asks ``base_url/v1/messages``."""

    wire = WireFormat(
        address=lambda base_url: _address(base_url, "/v1/messages"),
        listing_address=lambda base_url: _address(base_url, f"/v1/models?limit={_LISTED_AT_ONCE}"),
        headers=_headers,
        request_body=request_body,
        result_of_payload=result_of_payload,
        open_stream=StreamedMessage,
    )
