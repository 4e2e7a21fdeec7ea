"""Answering a chat request: what the model decides, when it says so, and what the ledger keeps of it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from panels.simulator import wire
from panels.simulator.answer_key import KeyItem, digest_user_messages
from panels.simulator.behaviour import Conduct, behave
from panels.simulator.catalogue import Fault, SimulatedModel
from panels.simulator.chat_request import ChatRequest, InvalidRequest
from panels.simulator.dialects import Dialect
from panels.simulator.faults import FAULT_ERRORS, HTML_PAGE, LATE_ERROR, REFUSAL
from panels.simulator.ledger import Entry, Ledger
from panels.simulator.plumbing import Send, send_body, send_events

_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``latency_s`` replaces every latency drawn, hangs included. Without ``faults`` every request is answered."""

    seed: int = 0
    latency_s: float | None = None
    faults: bool = True


class Chat:
    """The simulated models at work."""

    def __init__(
        self,
        *,
        catalogue: Mapping[str, SimulatedModel],
        answer_key: Mapping[bytes, KeyItem],
        settings: Settings,
        ledger: Ledger,
    ) -> None:
        self._catalogue = catalogue
        self._answer_key = answer_key
        self._settings = settings
        self._ledger = ledger
        self._numbers = count(1)
        # Faults a request met in a row; forgotten once it is answered, so that a second run repeats the first.
        self._suffered: OrderedDict[ChatRequest, int] = OrderedDict()

    async def answer(self, request: ChatRequest, send: Send, *, dialect: Dialect) -> None:
        """Raises InvalidRequest for a model that is not there or a request it does not take."""
        model = self._find_model(request)
        digest = digest_user_messages(request.messages)
        item = self._answer_key.get(digest)
        conduct = self._decide(model, request, item)
        completion = self._write(model, request, conduct, dialect)
        self._ledger.record(
            Entry(
                model=model.id,
                outcome=conduct.fault or "ok",
                key=digest.hex(),
                item_id=item.id if item else None,
                right=conduct.right,
                stream=request.stream,
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
                cost_nanousd=completion.cost_nanousd,
                latency_s=conduct.latency_s,
            )
        )
        speaker = _Speaker(dialect=dialect, model=model, request=request, conduct=conduct, completion=completion)
        await speaker.say(send)

    def _find_model(self, request: ChatRequest) -> SimulatedModel:
        model = self._catalogue.get(request.model)
        if model is None:
            message = f"The model `{request.model[:200]}` does not exist or you do not have access to it."
            raise InvalidRequest(message, code="model_not_found", status=404)
        if model.last_message_must_be_user and request.messages[-1][0] != "user":
            raise InvalidRequest("The last message must have the role 'user'.", param="messages")
        return model

    def _decide(self, model: SimulatedModel, request: ChatRequest, item: KeyItem | None) -> Conduct:
        attempt = self._suffered.get(request, 0)
        conduct = behave(model=model, request=request, item=item, seed=self._settings.seed, attempt=attempt)
        if not self._settings.faults:
            conduct = replace(conduct, fault=None)
        self._remember(request, attempt, conduct.fault)
        if self._settings.latency_s is not None:
            return replace(conduct, latency_s=self._settings.latency_s)
        return replace(conduct, latency_s=model.hang_s) if conduct.fault is Fault.HANG else conduct

    def _remember(self, request: ChatRequest, attempt: int, fault: Fault | None) -> None:
        if fault is None:
            self._suffered.pop(request, None)
            return
        self._suffered[request] = attempt + 1
        if len(self._suffered) > _MAX_REMEMBERED:
            self._suffered.popitem(last=False)

    def _write(
        self, model: SimulatedModel, request: ChatRequest, conduct: Conduct, dialect: Dialect
    ) -> wire.Completion:
        refused = conduct.fault is Fault.REFUSED
        text = REFUSAL if refused else "" if conduct.fault is Fault.EMPTY else conduct.text
        return wire.complete(
            model=model,
            text=text,
            messages=request.messages,
            max_tokens=request.max_tokens,
            completion_id=f"{dialect.id_prefix}sim{next(self._numbers):010d}",
            created=int(time.time()),
            refused=refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speaker:
    """One reply, said in a dialect as the model's conduct wants it."""

    dialect: Dialect
    model: SimulatedModel
    request: ChatRequest
    conduct: Conduct
    completion: wire.Completion

    async def say(self, send: Send) -> None:
        fault = self.conduct.fault
        error = FAULT_ERRORS.get(fault) if fault else None
        if self.request.stream and error is None and fault is not Fault.HTML_PAGE:
            await send_events(send, self._time_events())
            return
        await asyncio.sleep(self.conduct.latency_s)
        if error is not None:
            headers = ((b"retry-after", b"1"),) if fault is Fault.RATE_LIMITED else ()
            await send_body(send, self.dialect.error_body(error), status=error.status, headers=headers)
        elif fault is Fault.HTML_PAGE:
            await send_body(send, HTML_PAGE, status=502, content_type=b"text/html")
        else:
            await send_body(send, self._body())

    def _body(self) -> bytes:
        if self.conduct.fault is Fault.ERROR_BODY:
            return self.dialect.error_body(LATE_ERROR)
        body = self.dialect.completion_body(self.completion)
        return body[: len(body) // 2] if self.conduct.fault is Fault.MALFORMED else body

    async def _time_events(self) -> AsyncIterator[bytes]:
        """Events at the pace of the model: the first after its share of the latency, the rest evenly over the rest."""
        events = self._events()
        first_s = self.conduct.latency_s * self.model.first_token_share
        pause_s = (self.conduct.latency_s - first_s) / max(1, len(events) - 1)
        for index, event in enumerate(events):
            await asyncio.sleep(pause_s if index else first_s)
            yield event

    def _events(self) -> list[bytes]:
        events = self.dialect.stream_pieces(self.completion, self.request)
        half = events[: -(-len(events) // 2)]
        if self.conduct.fault is Fault.MALFORMED:
            return half
        if self.conduct.fault is Fault.ERROR_BODY:
            return [*half, *self.dialect.late_error(self.completion, LATE_ERROR)]
        # The last two leave together: nothing is left to wait for.
        return [*events[:-1], events[-1] + self.dialect.stream_end]
