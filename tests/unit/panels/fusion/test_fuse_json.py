from __future__ import annotations

from panels.fusion.fuse import fuse, fuse_alone
from panels.fusion.outcomes import Degradation, Final, Fused
from panels.fusion.types import Member, Panel, StrategyName
from tests.unit.panels.fusion.fused import DEAD, ScriptedAsk, json_question, panel, reply

SCHEMA = {"properties": {"city": {"type": "string"}, "year": {"type": "integer"}}, "required": ["city"]}


async def _fuse(schedule: Panel, *texts: str, schema: object = SCHEMA) -> Fused:
    ask = ScriptedAsk({name: reply(text) for name, text in zip("abcde", texts, strict=False)})
    return await fuse(question=json_question(schema), panel=schedule, ask=ask)


async def test_an_answer_that_somebody_gave_is_in_that_members_words() -> None:
    texts = ('{"city": "Paris"}', '```json\n{"year": 1999, "city": "Rome"}\n```', '{"city": "Rome", "year": 1999}')
    fused = await _fuse(panel(("a", "b", "c")), *texts)

    assert fused.final == Final(value='{"city":"Rome","year":1999}', text=texts[1], seat=1)


async def test_a_merge_is_in_nobodys_words() -> None:
    texts = ('{"city": "Paris", "year": 1}', '{"city": "Paris", "year": 2}', '{"city": "Rome", "year": 2}')
    fused = await _fuse(panel(("a", "b", "c"), strategy=StrategyName.AUTO), *texts)
    assert fused.final is not None
    assert fused.final.seat == 1

    cities = ('{"city": "Paris", "year": 1}', '{"city": "Paris"}', '{"city": "Rome", "year": 2}')
    fused = await _fuse(panel(("a", "b", "c", "d")), *cities, '{"city": "Oslo", "year": 2}')
    assert fused.final == Final(value='{"city":"Paris","year":2}', text='{"city":"Paris","year":2}')
    assert fused.degraded == ()


async def test_an_answer_that_breaks_the_schema_abstains() -> None:
    fused = await _fuse(panel(("a", "b")), '{"city": 7}', '{"city": "Rome"}')

    assert [call.ballot.value for call in fused.calls] == [None, '{"city":"Rome"}']
    assert fused.consensus == 0.5


async def test_a_merge_that_breaks_the_schema_is_said() -> None:
    schema = {"oneOf": [{"required": ["date"]}, {"required": ["paid"]}]}
    texts = ('{"date": "1 May"}', '{"paid": true}', '{"paid": false}')
    fused = await _fuse(panel(("a", "b", "c")), *texts, schema=schema)

    assert fused.value == '{"date":"1 May"}'
    assert [cut.kind for cut in fused.degraded] == ["merge_invalid"]
    assert "is not valid under any of the given schemas" in fused.degraded[0].reason


async def test_a_stage_that_settles_brings_its_own_fields() -> None:
    schema = {"oneOf": [{"required": ["date"]}, {"required": ["paid"]}]}
    agreed, torn = (
        ('{"date": "1 May"}', '{"date": "1 May"}'),
        ('{"date": "2 May"}', '{"paid": true}', '{"paid": false}'),
    )
    staged = panel(("a", "b"), ("c", "d", "e"), settles=True)
    fused = await _fuse(staged, *agreed, *torn, schema=schema)

    assert fused.settled
    assert fused.value == '{"date":"2 May"}'
    assert [cut.kind for cut in fused.degraded] == ["merge_invalid"]


async def test_a_member_alone_and_a_dead_one() -> None:
    alone = fuse_alone(question=json_question(SCHEMA), member=Member(model="a"), result=reply('{"city": "Rome"}'))
    assert (alone.value, alone.consensus) == ('{"city":"Rome"}', 1.0)

    ask = ScriptedAsk({"a": DEAD})
    fused = await fuse(question=json_question(SCHEMA), panel=panel(("a",)), ask=ask)
    assert fused.final is None
    assert fused.degraded == (Degradation(kind="member_failed", reason="timeout", seat=0),)
