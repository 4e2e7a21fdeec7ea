"""The simulator as a plain ASGI application, without a framework for the sake of speed."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from panels.simulator import wire
from panels.simulator.answer_key import KeyItem
from panels.simulator.catalogue import CATALOGUE
from panels.simulator.chat import Chat, Settings
from panels.simulator.chat_request import InvalidRequest
from panels.simulator.dialects import ANTHROPIC, OPENAI, Dialect
from panels.simulator.faults import ProviderError
from panels.simulator.ledger import Ledger
from panels.simulator.model import SimulatedModel
from panels.simulator.plumbing import Receive, Scope, Send, receive_body, send_body

_Route: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
_DIALECTS: Mapping[str, Dialect] = {"/v1/chat/completions": OPENAI, "/v1/messages": ANTHROPIC}


class Simulator:
    """One simulated provider: chat completions and messages, the list of models, its ledger and its health."""

    def __init__(
        self,
        *,
        answer_key: Mapping[bytes, KeyItem],
        settings: Settings | None = None,
        catalogue: Mapping[str, SimulatedModel] = CATALOGUE,
    ) -> None:
        self.ledger = Ledger()
        self._chat = Chat(
            catalogue=catalogue, answer_key=answer_key, settings=settings or Settings(), ledger=self.ledger
        )
        self._models_body = wire.models_body(catalogue, created=int(time.time()))
        self._routes: dict[str, dict[str, _Route]] = {
            **{path: {"POST": partial(self._serve_chat, dialect)} for path, dialect in _DIALECTS.items()},
            "/v1/models": {"GET": self._serve_models},
            "/ledger": {"GET": self._serve_ledger, "DELETE": self._clear_ledger},
            "/healthz": {"GET": self._serve_health},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"The simulator speaks HTTP only, not {scope['type']}.")
        try:
            route = self._find_route(scope["path"], scope["method"])
            await route(receive, send)
        except InvalidRequest as error:
            dialect = _DIALECTS.get(scope["path"], OPENAI)
            await send_body(send, dialect.error_body(_refusal(error)), status=error.status)

    def _find_route(self, path: str, method: str) -> _Route:
        methods = self._routes.get(path)
        if methods is None:
            raise InvalidRequest(f"Unknown request URL: {method} {path}.", code="unknown_url", status=404)
        if method not in methods:
            raise InvalidRequest(f"Not allowed here: {method}.", code="method_not_supported", status=405)
        return methods[method]

    async def _serve_chat(self, dialect: Dialect, receive: Receive, send: Send) -> None:
        self.ledger.enter()
        try:
            request = dialect.parse_request(await receive_body(receive))
            await self._chat.answer(request, receive, send, dialect=dialect)
        finally:
            self.ledger.leave()

    async def _serve_models(self, _receive: Receive, send: Send) -> None:
        await send_body(send, self._models_body)

    async def _serve_health(self, _receive: Receive, send: Send) -> None:
        await send_body(send, b'{"status":"ok","simulated":true}')

    async def _serve_ledger(self, _receive: Receive, send: Send) -> None:
        await send_body(send, json.dumps(self.ledger.as_json()).encode())

    async def _clear_ledger(self, receive: Receive, send: Send) -> None:
        self.ledger.clear()
        await self._serve_ledger(receive, send)


def _refusal(error: InvalidRequest) -> ProviderError:
    return ProviderError(
        status=error.status,
        message=error.message,
        type="invalid_request_error",
        param=error.param,
        code=error.code,
    )
