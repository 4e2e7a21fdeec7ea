"""What the simulated models may know: datasets with references, found again by the text of the user's messages."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

Messages: TypeAlias = Iterable[tuple[str, str]]


class BadAnswerKey(ValueError):
    """A line of an answer file that is no example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact of a summary: the sentence that states it, and one that gets it wrong."""

    sentence: str
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyItem:
    """An example whose answer is known. ``wrong`` starts with the wrong answer that the models have in common."""

    id: str
    topic: str
    reference: str
    choices: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


def digest_user_messages(messages: Messages) -> bytes:
    """16 bytes that stay the same whatever the system prompt and the white space around the user's words are."""
    texts = (" ".join(text.split()) for role, text in messages if role == "user")
    return blake2b("\x1e".join(texts).encode("utf-8", "replace"), digest_size=16).digest()


def load_answer_key(paths: Iterable[Path]) -> Mapping[bytes, KeyItem]:
    """Examples by the digest of their user messages; of equal prompts the first counts. Raises BadAnswerKey."""
    key: dict[bytes, KeyItem] = {}
    for path in paths:
        for number, line in enumerate(_read_lines(path), start=1):
            if line.strip():
                _add_line(key, line, topic=path.name.split(".")[0], place=f"{path.name}, line {number}")
    return key


def _read_lines(path: Path) -> Iterator[str]:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as lines:
        yield from lines


def _add_line(key: dict[bytes, KeyItem], line: str, *, topic: str, place: str) -> None:
    try:
        row = json.loads(line)
        item = _read_item(row, topic=topic)
        messages = _read_prompt(row["prompt"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadAnswerKey(f"{place}: not an example with id and prompt ({error!r})") from error
    if item.reference or item.facts:
        key.setdefault(digest_user_messages(messages), item)


def _read_prompt(prompt: Any) -> list[tuple[str, str]]:
    if isinstance(prompt, str):
        return [("user", prompt)]
    return [(message["role"], message["content"]) for message in prompt]


def _as_text(value: Any) -> str:
    """An object as its JSON text: the answer that a model would write."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _read_item(row: dict[str, Any], *, topic: str) -> KeyItem:
    meta = row.get("meta") or {}
    reference = _as_text(row.get("reference") or next(iter(row.get("references") or ()), ""))
    choices = tuple(map(str, row.get("choices") or ()))
    wrong = [text for text in (*map(_as_text, meta.get("distractors") or ()), *choices) if text != reference]
    return KeyItem(
        id=str(row["id"]),
        topic=topic,
        reference=reference,
        choices=choices,
        wrong=tuple(dict.fromkeys(wrong)),
        facts=tuple(Fact(sentence=fact["sentence"], wrong=fact["wrong"]) for fact in meta.get("facts") or ()),
    )
