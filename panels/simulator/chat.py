"""Answering a chat request: what the model decides, when it says so, and what the ledger keeps of it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

from panels.simulator import wire
from panels.simulator.answer_key import KeyItem, digest_user_messages
from panels.simulator.behaviour import Conduct, behave
from panels.simulator.brief import Brief, read_brief
from panels.simulator.chat_request import ChatRequest, InvalidRequest
from panels.simulator.dialects import Dialect
from panels.simulator.faults import REFUSAL
from panels.simulator.ledger import Entry, Ledger
from panels.simulator.model import ANSWERING_FAULTS, HOLDING_FAULTS, Fault, SimulatedModel
from panels.simulator.plumbing import Receive, Send
from panels.simulator.speaking import Speaker
from panels.simulator.wire import UsageTold

_MAX_REMEMBERED = 10_000
_USAGE_TOLD: Mapping[Fault | None, UsageTold] = {
    Fault.NO_USAGE: UsageTold.NEVER,
    Fault.EARLY_USAGE: UsageTold.EARLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``latency_s`` replaces every latency drawn; a hang lasts. Without ``faults`` every request is answered."""

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

    async def answer(self, request: ChatRequest, receive: Receive, send: Send, *, dialect: Dialect) -> None:
        """Raises InvalidRequest for a model that is not there or a request it does not take."""
        model = self._find_model(request)
        brief = read_brief(request.messages)
        digest, item = self._look_up(brief.digests if brief else (digest_user_messages(request.messages),))
        conduct = self._decide(model, request, item, brief)
        completion = self._write(model, request, conduct, dialect)
        self._ledger.record(
            Entry(
                model=model.id,
                outcome=conduct.fault or "ok",
                key=digest.hex(),
                task=brief.task if brief else None,
                item_id=item.id if item else None,
                right=conduct.right,
                stream=request.stream,
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
                cost_nanousd=completion.cost_nanousd,
                latency_s=conduct.latency_s + (model.hang_s if conduct.fault in HOLDING_FAULTS else 0.0),
            )
        )
        speaker = Speaker(
            dialect=dialect,
            model=model,
            request=request,
            conduct=conduct,
            completion=completion,
            receive=receive,
            send=send,
        )
        await speaker.say()

    def _find_model(self, request: ChatRequest) -> SimulatedModel:
        model = self._catalogue.get(request.model)
        if model is None:
            message = f"The model `{request.model[:200]}` does not exist or you do not have access to it."
            raise InvalidRequest(message, code="model_not_found", status=404)
        if model.last_message_must_be_user and request.messages[-1][0] != "user":
            raise InvalidRequest("The last message must have the role 'user'.", param="messages")
        return model

    def _look_up(self, digests: tuple[bytes, ...]) -> tuple[bytes, KeyItem | None]:
        """The digest under which the key holds an item, and the item; else the first digest."""
        known = next((digest for digest in digests if digest in self._answer_key), digests[0])
        return known, self._answer_key.get(known)

    def _decide(
        self, model: SimulatedModel, request: ChatRequest, item: KeyItem | None, brief: Brief | None
    ) -> Conduct:
        attempt = self._suffered.get(request, 0)
        conduct = behave(
            model=model, request=request, item=item, seed=self._settings.seed, attempt=attempt, brief=brief
        )
        if not self._settings.faults:
            conduct = replace(conduct, fault=None)
        self._remember(request, attempt, conduct.fault)
        latency_s = self._settings.latency_s
        return conduct if latency_s is None else replace(conduct, latency_s=latency_s)

    def _remember(self, request: ChatRequest, attempt: int, fault: Fault | None) -> None:
        if fault is None or fault in ANSWERING_FAULTS:
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
            usage_told=_USAGE_TOLD.get(conduct.fault, UsageTold.PROPERLY),
        )
