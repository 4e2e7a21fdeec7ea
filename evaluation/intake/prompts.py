"""An item's prompt: chat messages, or a text that is the one user message."""

from __future__ import annotations

import json

from evaluation.intake.fields import RowFields

MAX_TITLE_CHARS = 160
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class _BadPrompt(Exception):
    """What is wrong with the messages, and what to do."""


def read_prompt(fields: RowFields) -> tuple[str, str]:
    """The prompt as JSON text of its messages, and the start of the last user message; both empty after a refusal."""
    try:
        messages = _read_messages(fields.raw("prompt"))
    except _BadPrompt as error:
        fields.refuse("prompt", str(error))
        return "", ""
    return json.dumps(messages, ensure_ascii=False, separators=(",", ":")), _title(messages[-1]["content"])


def _title(content: str) -> str:
    # Only a start is looked at: a prompt may be megabytes long.
    words = " ".join(content[: MAX_TITLE_CHARS * 8].split())
    return words if len(words) <= MAX_TITLE_CHARS else f"{words[: MAX_TITLE_CHARS - 1]}…"


def _read_messages(prompt: object) -> list[dict[str, str]]:
    if isinstance(prompt, str):
        prompt = _messages_in_text(prompt) or [{"role": "user", "content": prompt}]
    if prompt is None or prompt == []:
        raise _BadPrompt("the prompt is missing; give every row a text or chat messages")
    if not isinstance(prompt, list):
        raise _BadPrompt('the prompt is neither text nor messages; write a text or [{"role": "user", "content": "…"}]')
    messages = [_read_message(message) for message in prompt]
    if messages[-1]["role"] != "user":
        raise _BadPrompt(f"the last message is from {messages[-1]['role']}; end the prompt with a user message")
    if not messages[-1]["content"].strip():
        raise _BadPrompt("the prompt is empty; give the last user message a text")
    return messages


def _messages_in_text(text: str) -> list[object] | None:
    """Chat messages written as JSON into a text, as a CSV cell has to."""
    if not text.lstrip().startswith("[{"):
        return None
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_chat = isinstance(loaded, list) and all(isinstance(entry, dict) and "role" in entry for entry in loaded)
    return loaded if is_chat else None


def _read_message(message: object) -> dict[str, str]:
    if not isinstance(message, dict):
        raise _BadPrompt('a message is not an object; write {"role": "user", "content": "…"}')
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise _BadPrompt(f"a message has the role “{message.get('role')}”; use system, user or assistant")
    return {"role": role, "content": _read_content(message.get("content"))}


def _read_content(content: object) -> str:
    """A text, or a list of text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise _BadPrompt("a message's content is not text; only text can be sent")
