"""Replays imported outputs by item and model; nothing leaves for a provider."""

from __future__ import annotations

from collections.abc import Mapping

from panels.fusion.types import Failure, FailureKind, ModelRequest, Reply


class RecordedClient:
    """Answers from ``outputs``, keyed by item id and model. What was not recorded is a failure, not a guess."""

    def __init__(self, outputs: Mapping[tuple[str, str], Reply]) -> None:
        self._outputs = outputs

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        reply = self._outputs.get((request.item_id, request.model))
        if reply is None:
            detail = f"no recorded output of {request.model} for item {request.item_id}"
            return Failure(kind=FailureKind.NOT_RECORDED, detail=detail)
        return reply
