from __future__ import annotations

import json

import pytest

from panels.simulator.chat_request import ChatRequest, InvalidRequest
from panels.simulator.messages_request import parse_request

USER = {"role": "user", "content": "Hello"}


def parse(**changes) -> ChatRequest:
    return parse_request(json.dumps({"model": "sim-x", "messages": [USER], "max_tokens": 7, **changes}).encode())


def test_the_system_prompt_becomes_the_first_message():
    blocks = [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]
    wanted = ChatRequest(
        model="sim-x", messages=(("system", "Be brief."), ("user", "Hello")), max_tokens=7, stream=True
    )
    for system in ("Be brief.", blocks):
        assert parse(system=system, stream=True, temperature=0.2, top_p=0.9) == wanted


def test_without_a_system_prompt_the_messages_stand_alone():
    assert parse().messages == (("user", "Hello"),)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"system": 3}, "system"),
        ({"seed": 3}, "seed"),
        ({"stream_options": {}}, "stream_options"),
    ],
)
def test_a_bad_field_is_named(changes, param):
    with pytest.raises(InvalidRequest) as caught:
        parse(**changes)
    assert (caught.value.param, caught.value.status) == (param, 400)


def test_a_body_that_is_no_object_is_refused():
    with pytest.raises(InvalidRequest):
        parse_request(b"[]")
