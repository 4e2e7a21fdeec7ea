"""The simulator as a plain ASGI application, without a framework for the sake of speed."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from panels.simulator import wire
from panels.simulator.answer_key import KeyItem
from panels.simulator.catalogue import CATALOGUE, SimulatedModel
from panels.simulator.chat import Chat, Settings
from panels.simulator.chat_request import InvalidRequest, parse_request
from panels.simulator.ledger import Ledger
from panels.simulator.plumbing import Receive, Scope, Send, receive_body, send_body

_Route: TypeAlias = Callable[[Receive, Send], Awaitable[None]]


class Simulator:
    """One simulated provider: GET /v1/models, POST /v1/chat/completions, GET and DELETE /ledger, GET /healthz."""

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
            "/v1/chat/completions": {"POST": self._serve_chat},
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
            body = wire.error_body(
                message=error.message, type="invalid_request_error", param=error.param, code=error.code
            )
            await send_body(send, body, status=error.status)

    def _find_route(self, path: str, method: str) -> _Route:
        methods = self._routes.get(path)
        if methods is None:
            raise InvalidRequest(f"Unknown request URL: {method} {path}.", code="unknown_url", status=404)
        if method not in methods:
            raise InvalidRequest(f"Not allowed here: {method}.", code="method_not_supported", status=405)
        return methods[method]

    async def _serve_chat(self, receive: Receive, send: Send) -> None:
        self.ledger.enter()
        try:
            await self._chat.answer(parse_request(await receive_body(receive)), send)
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
