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
from panels.simulator.faults import ERROR_BODY, FAULT_REPLIES, REFUSAL, STREAM_ERROR
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

    async def answer(self, request: ChatRequest, send: Send) -> None:
        """Raises InvalidRequest for a model that is not there or a request it does not take."""
        model = self._find_model(request)
        digest = digest_user_messages(request.messages)
        item = self._answer_key.get(digest)
        conduct = self._decide(model, request, item)
        completion = self._write(model, request, conduct)
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
        await _say(send, model, request, conduct, completion)

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

    def _write(self, model: SimulatedModel, request: ChatRequest, conduct: Conduct) -> wire.Completion:
        refused = conduct.fault is Fault.REFUSED
        text = REFUSAL if refused else "" if conduct.fault is Fault.EMPTY else conduct.text
        return wire.complete(
            model=model,
            text=text,
            messages=request.messages,
            max_tokens=request.max_tokens,
            completion_id=f"chatcmpl-sim{next(self._numbers):010d}",
            created=int(time.time()),
            refused=refused,
        )


async def _say(
    send: Send, model: SimulatedModel, request: ChatRequest, conduct: Conduct, completion: wire.Completion
) -> None:
    replaced = FAULT_REPLIES.get(conduct.fault) if conduct.fault else None
    if request.stream and replaced is None:
        await send_events(send, _time_events(model, request, conduct, completion))
        return
    await asyncio.sleep(conduct.latency_s)
    if replaced is None:
        await send_body(send, _spoil_body(wire.completion_body(completion), conduct.fault))
        return
    await send_body(
        send, replaced.body, status=replaced.status, content_type=replaced.content_type, headers=replaced.headers
    )


def _spoil_body(body: bytes, fault: Fault | None) -> bytes:
    if fault is Fault.ERROR_BODY:
        return ERROR_BODY
    return body[: len(body) // 2] if fault is Fault.MALFORMED else body


async def _time_events(
    model: SimulatedModel, request: ChatRequest, conduct: Conduct, completion: wire.Completion
) -> AsyncIterator[bytes]:
    """Events at the pace of the model: the first after its share of the latency, the rest evenly over what is left."""
    events = _spoil_events(completion, conduct.fault, include_usage=request.include_usage)
    first_s = conduct.latency_s * model.first_token_share
    pause_s = (conduct.latency_s - first_s) / max(1, len(events) - 1)
    for index, event in enumerate(events):
        await asyncio.sleep(pause_s if index else first_s)
        yield event


def _spoil_events(completion: wire.Completion, fault: Fault | None, *, include_usage: bool) -> list[bytes]:
    events = wire.stream_pieces(completion, include_usage=include_usage)
    half = events[: -(-len(events) // 2)]
    if fault is Fault.MALFORMED:
        return half
    if fault is Fault.ERROR_BODY:
        return [*half, wire.error_event(completion, message=STREAM_ERROR, code="502"), wire.STREAM_END]
    # The last two leave together: nothing is left to wait for.
    return [*events[:-1], events[-1] + wire.STREAM_END]
