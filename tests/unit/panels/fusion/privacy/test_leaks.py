from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.privacy.leaks import Leak, LeakGuardedClient, leaks_in
from panels.fusion.privacy.masking import mask_question
from panels.fusion.types import Failure, FailureKind, Message, ModelRequest, Reply, Sampling
from tests.unit.panels.fusion.privacy.masked_texts import HARD_TEXTS, mask

MASKED = mask_question(
    [Message(role="user", content="Zoë Schmidt, z.s@x.org, EMAIL_1_aa, +44 20 7946 0958")],
    sensitive={"name": "Zoë Schmidt", "role": "user", "word": "email", "one": "Qi"},
)
MAP = MASKED.placeholder_map


def body(text, *, ascii_only=False):
    return json.dumps({"messages": [{"content": text}]}, ensure_ascii=ascii_only).encode()


def kinds(found):
    return [leak.kind for leak in found]


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Schmidt",
        "ZOË  SCHMIDT",
        "zoe\u0308\nschmidt",
        "ZoëSchmidt",
        "Zoë&#32;Schmidt",
        "Zo&euml; Schmidt",
        "Zo\\u00eb Schmidt",
        "Zo\\\\u00EB\\nSchmidt",
        quote("Zoë Schmidt"),
        quote(quote("Zoë Schmidt")),
        "q=Zo%C3%AB+Schmidt&x",
        json.dumps({"name": quote("Zoë Schmidt")}),
        "Frau Schmidt",
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_value_is_found_in_every_spelling(text, ascii_only):
    assert kinds(leaks_in(body(f"About {text}.", ascii_only=ascii_only), MAP)) == ["NAME"]


def test_what_patterns_found_is_found_too_and_counted_by_kind():
    leaking = body('{"to": "Z.S\\u0040X.ORG", "tel": "+44-20-7946-0958"} z.s@x.org')
    assert leaks_in(leaking, MAP) == (Leak(kind="EMAIL", places=2), Leak(kind="PHONE", places=1))


@pytest.mark.parametrize("text", ["nothing", "Schmidtchen", "schmidt", "qi", "Zoe Schmitt", "+44 20 7946 0959", "😀"])
def test_other_text_is_no_leak(text):
    assert leaks_in(body(text), MAP) == ()
    assert leaks_in(body(text, ascii_only=True), MAP) == ()


def test_a_placeholder_that_spells_a_value_is_no_leak_but_an_unknown_one_is():
    # "email" is a value, and the beginning of [[EMAIL_1_uo]].
    assert leaks_in(body(MASKED.messages[0].content), MAP) == ()
    assert kinds(leaks_in(body("[[EMAIL_77_ab]]"), MAP)) == ["WORD"]


def test_what_stands_in_every_body_is_no_leak():
    whole, frame = b'{"role": "user", "content": "the user"}', b'{"role": "user", "content": ""}'
    assert leaks_in(whole, MAP) == (Leak(kind="ROLE", places=2),)
    assert leaks_in(whole, MAP, frame=frame) == (Leak(kind="ROLE", places=1),)
    assert leaks_in(frame, MAP, frame=frame) == ()


def test_where_nothing_was_masked_nothing_can_leak():
    assert leaks_in(body("Zoë Schmidt"), mask_question([], sensitive={}).placeholder_map) == ()


def test_a_body_that_is_no_text_is_searched_all_the_same():
    assert kinds(leaks_in(b"\xff\xfe Frau Schmidt", MAP)) == ["NAME"]


@settings(max_examples=300, deadline=None)
@given(HARD_TEXTS)
def test_what_masking_made_never_leaks(text):
    masked = mask(text)
    content = masked.messages[0].content
    for ascii_only in (True, False):
        assert leaks_in(body(content, ascii_only=ascii_only), masked.placeholder_map) == ()


class Answering:
    def __init__(self):
        self.asked = []

    async def complete(self, request):
        self.asked.append(request)
        return Reply(text="fine")


def request_of(*texts):
    messages = tuple(Message(role="user", content=text) for text in texts)
    return ModelRequest(model="maker/email-model", messages=messages, sampling=Sampling())


@pytest.mark.parametrize("wire", [OpenAIClient.wire, AnthropicClient.wire])
async def test_the_guard_lets_masked_requests_pass(wire):
    answering = Answering()
    guarded = LeakGuardedClient(client=answering, body_of=wire.request_body, placeholder_map=MAP)
    request = request_of(MASKED.messages[0].content)
    # The role of its messages and its model's name are values too, but stand in every body.
    assert await guarded.complete(request) == Reply(text="fine")
    assert answering.asked == [request]


@pytest.mark.parametrize("wire", [OpenAIClient.wire, AnthropicClient.wire])
async def test_the_guard_sends_nothing_that_leaks_and_names_no_value(wire):
    answering = Answering()
    guarded = LeakGuardedClient(client=answering, body_of=wire.request_body, placeholder_map=MAP)
    failure = await guarded.complete(request_of(MASKED.messages[0].content, "Schmidt, Schmidt, z.s@x.org"))
    assert failure == Failure(
        kind=FailureKind.MASKING,
        detail="not sent: the body still held masked values (EMAIL at 1 place, NAME at 2 places)",
    )
    assert answering.asked == []
    assert "chmidt" not in repr(guarded)
