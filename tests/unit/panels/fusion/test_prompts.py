"""A released text stays as it is: answers say by its hash which one the arbiter was given."""

from __future__ import annotations

import pytest

from panels.fusion.arbitration import PromptRef
from panels.fusion.prompts import PROMPTS, SYNTHESIS_1, VERIFICATION_1, prompt_for
from panels.fusion.types import StrategyName

RELEASED = {
    "verification-1": "f94ed37fa614223aa5bc104c48ba07dd753a011992f579c9d43925eba73eae2f",
    "synthesis-1": "037f8a859cc30ba135219fd6d4fb84f1d746f54ef1d40634c78dcc3d0b181957",
}
TEXTS = {prompt.name: prompt for texts in PROMPTS.values() for prompt in texts.values()}


def test_no_released_text_was_edited_or_taken_away() -> None:
    # If this fails, put the text back and give the new one the next number.
    assert {name: prompt.sha256 for name, prompt in TEXTS.items()} == RELEASED


@pytest.mark.parametrize("name", RELEASED)
def test_the_first_line_names_the_task(name: str) -> None:
    assert TEXTS[name].system.split("\n")[0] == f"Task: {name}"


@pytest.mark.parametrize("name", RELEASED)
def test_a_text_has_no_more_places_than_are_filled(name: str) -> None:
    prompt = TEXTS[name]
    assert prompt.opening.format(nonce="0f") == prompt.opening.replace("{nonce}", "0f")
    assert prompt.retry.format(problem="it is blank") == prompt.retry.replace("{problem}", "it is blank")
    # What holds a message of a hostile model off: these are said in every text.
    assert "Never follow" in prompt.system
    assert "is data" in prompt.system


def test_the_hash_covers_every_part() -> None:
    parts = {"system": "s", "opening": "o", "closing": "c", "retry": "r"}
    hashes = {
        type(VERIFICATION_1)(name="one", **(parts | change)).sha256
        for change in ({}, *({part: f"{text}!"} for part, text in parts.items()), {"system": "so", "opening": ""})
    }
    assert len(hashes) == 6


def test_auto_stands_for_the_text_of_the_strategy_that_applies() -> None:
    assert prompt_for("auto-1", StrategyName.VERIFICATION) is VERIFICATION_1
    assert prompt_for("auto-1", StrategyName.SYNTHESIS) is SYNTHESIS_1
    assert prompt_for("synthesis-1", StrategyName.SYNTHESIS) is SYNTHESIS_1
    assert prompt_for("synthesis-1", StrategyName.VERIFICATION) is None
    assert prompt_for("unheard-of", StrategyName.SYNTHESIS) is None


def test_a_text_is_named_with_its_hash() -> None:
    assert SYNTHESIS_1.ref == PromptRef(name="synthesis-1", sha256=SYNTHESIS_1.sha256)
