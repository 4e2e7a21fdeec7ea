"""The last look before a request leaves: does its body still hold a value that was masked?"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus

from panels.fusion.privacy.folding import folded
from panels.fusion.privacy.placeholder_map import PlaceholderMap
from panels.fusion.privacy.spans import merged
from panels.fusion.privacy.values import Needles, find_values, needles_of
from panels.fusion.types import Failure, FailureKind, ModelClient, ModelRequest, Reply

_JSON_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_JSON_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PLACEHOLDER = re.compile(r"\[\[[A-Z]{2,16}_\d{1,9}[a-z]?_[0-9a-z]{2}\]\]", re.ASCII)
# Within the JSON of the body: a URL in HTML, HTML in JSON.
_MAX_DEPTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Values of this ``kind`` stand in a body at ``places`` places."""

    kind: str
    places: int


def leaks_in(body: bytes, placeholder_map: PlaceholderMap, *, frame: bytes = b"") -> tuple[Leak, ...]:
    """Values of the map in a JSON body about to be sent: as they are, and encoded for JSON, URLs or HTML, twice even.

    Case, width, blanks and invisible characters make no difference where they made none to masking. ``frame`` is the
    same body with nothing in its messages: what stands there too ("user", a model's name) is no leak.
    """
    if not (placeholder_map.sensitive or placeholder_map.secrets):
        return ()
    needles = needles_of(placeholder_map)
    known = {str(entry.placeholder): _stand_in(entry.original) for entry in placeholder_map.entries}
    places = _places(body, needles, known)
    if places and frame:
        places -= _places(frame, needles, known)
    return tuple(Leak(kind=kind, places=places[kind]) for kind in sorted(places))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakGuardedClient:
    """A ``ModelClient`` that asks nothing while the body of a request would still hold a masked value.

    ``body_of`` makes the body as it goes over the wire.
    """

    client: ModelClient
    body_of: Callable[[ModelRequest], bytes]
    placeholder_map: PlaceholderMap

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        empty = replace(request, messages=tuple(replace(message, content="") for message in request.messages))
        leaks = leaks_in(self.body_of(request), self.placeholder_map, frame=self.body_of(empty))
        if leaks:
            return Failure(kind=FailureKind.MASKING, detail=describe_leaks(leaks))
        return await self.client.complete(request)


def describe_leaks(leaks: tuple[Leak, ...]) -> str:
    """Names kinds and numbers, never a value."""
    found = ", ".join(f"{leak.kind} at {leak.places} place{'s' if leak.places > 1 else ''}" for leak in leaks)
    return f"not sent: the body still held masked values ({found})"


def _places(body: bytes, needles: Needles, known: Mapping[str, str]) -> Counter[str]:
    """The most places of each kind that any reading of the body shows."""
    most: Counter[str] = Counter()
    for reading in _readings(body.decode("utf-8", "replace")):
        # A placeholder of ours may hold the letters of a value: [[EMAIL_1_uo]] and "email".
        text = _PLACEHOLDER.sub(lambda match: known.get(match[0], match[0]), reading)
        most |= Counter(span.kind for span in merged(find_values(text, needles)))
    return most


def _stand_in(original: str) -> str:
    """As much of a value as its neighbours need: whether letters or digits touch them. Nobody's name holds these."""
    text = folded(original)
    edges = ("\u01c2" if edge.isalpha() else "\u1b50" if edge.isdigit() else " " for edge in (text[:1], text[-1:]))
    return "\0".join(edges)


def _readings(body: str) -> Iterator[str]:
    """What the body's JSON says, and that with its encodings undone in every order."""
    text = _from_json(body)
    seen, fresh = {text}, [text]
    yield text
    for _ in range(_MAX_DEPTH):
        decoded = dict.fromkeys(
            decode(reading) for reading in fresh for decode in (_from_json, _from_url, html.unescape)
        )
        fresh = [reading for reading in decoded if reading not in seen]
        seen.update(fresh)
        yield from fresh


def _from_url(text: str) -> str:
    return unquote_plus(text, errors="replace")


def _from_json(text: str) -> str:
    return _JSON_ESCAPE.sub(_json_character, text)


def _json_character(match: re.Match[str]) -> str:
    high, low, code, letter = match.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(int(code, 16)) if code else _JSON_LETTERS.get(letter, letter)
