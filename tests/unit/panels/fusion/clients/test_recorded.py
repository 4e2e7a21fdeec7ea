from __future__ import annotations

from panels.fusion.clients.recorded import RecordedClient
from panels.fusion.types import Failure, FailureKind
from tests.unit.panels.fusion.fused import reply, request


async def test_replays_by_item_and_model() -> None:
    client = RecordedClient({("q1", "m"): reply("one"), ("q2", "m"): reply("two")})
    result = await client.complete(request("m", item_id="q2"))
    assert result == reply("two")


async def test_what_was_not_recorded_is_a_failure_that_names_it() -> None:
    result = await RecordedClient({}).complete(request("m", item_id="q9"))
    assert isinstance(result, Failure)
    assert result.kind is FailureKind.NOT_RECORDED
    assert "q9" in result.detail
