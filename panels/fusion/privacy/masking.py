"""Puts placeholders in the place of what must not leave: the same for every member, and back again exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from panels.fusion.privacy.detectors import Detector, default_detectors, detect
from panels.fusion.privacy.ledger import Ledger
from panels.fusion.privacy.pieces import Piece, find_lookalikes, write
from panels.fusion.privacy.placeholder_map import PlaceholderMap, SensitiveValue
from panels.fusion.privacy.placeholders import LOOKALIKE, Grammar, grammar_of
from panels.fusion.privacy.spans import Span, merged
from panels.fusion.privacy.values import find_values, needles_of, sensitive_values
from panels.fusion.types import Message

# Part of the key under which replies to masked messages are kept. Raise it whenever the same text would come out
# differently; 0 is a request that is not masked.
MASKING_VERSION = 1
DEFAULT_DETECTORS = default_detectors()


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """What may be sent, hashed, logged and kept. ``counts``: places masked, by kind."""

    messages: tuple[Message, ...] = field(repr=False)
    placeholder_map: PlaceholderMap
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedText:
    """A text masked with a map, and the map with what was new in it."""

    text: str = field(repr=False)
    placeholder_map: PlaceholderMap
    counts: Mapping[str, int]


def mask_question(
    messages: Sequence[Message],
    *,
    sensitive: Mapping[str, str],
    detectors: Sequence[Detector] = DEFAULT_DETECTORS,
) -> Masked:
    """``sensitive``: field name → exact value. Raises MaskingBlocked and SensitiveValueTooShort; then send nothing."""
    values = sensitive_values(sensitive)
    start = PlaceholderMap(kinds=_kinds(values, detectors), sensitive=values)
    texts, placeholder_map, counts = _mask([message.content for message in messages], start, detectors)
    masked = tuple(replace(message, content=text) for message, text in zip(messages, texts, strict=True))
    return Masked(messages=masked, placeholder_map=placeholder_map, counts=counts)


def remask(
    text: str, placeholder_map: PlaceholderMap, *, detectors: Sequence[Detector] = DEFAULT_DETECTORS
) -> MaskedText:
    """A text that comes from raw text (an in-house member's reply, a choice): known values get their placeholders.

    Texts of one request must be masked one after the other, each with the map that the last one returned. Raises
    MaskingBlocked.
    """
    (masked,), extended, counts = _mask([text], placeholder_map, detectors)
    return MaskedText(text=masked, placeholder_map=extended, counts=counts)


def _kinds(values: Iterable[SensitiveValue], detectors: Iterable[Detector]) -> tuple[str, ...]:
    kinds = chain((value.kind for value in values), (detector.kind for detector in detectors), [LOOKALIKE])
    return tuple(sorted(set(kinds)))


def _mask(
    texts: Sequence[str], start: PlaceholderMap, detectors: Sequence[Detector]
) -> tuple[list[str], PlaceholderMap, dict[str, int]]:
    detected = [detect(text, detectors) for text in texts]
    # What a pattern found in one place is hidden in every other place and spelling too.
    hits = [
        (span.kind, text[span.start : span.end]) for text, spans in zip(texts, detected, strict=True) for span in spans
    ]
    needles = needles_of(start, hits)
    ledger, grammar, counts = Ledger(start), grammar_of(start.kinds), Counter[str]()
    masked = []
    for text, spans in zip(texts, detected, strict=True):
        pieces = _settle(text, merged([*find_values(text, needles), *spans]), ledger, grammar)
        counts.update(piece.placeholder.kind for piece in pieces)
        masked.append(write(text, pieces))
    return masked, ledger.placeholder_map(), dict(counts)


def _settle(text: str, spans: Iterable[Span], ledger: Ledger, grammar: Grammar) -> list[Piece]:
    """Also hides text that looks like a placeholder, until nothing does but the placeholders."""
    pieces = _pieces(text, spans, ledger)
    while lookalikes := list(find_lookalikes(text, pieces, grammar)):
        pieces = sorted(pieces + _pieces(text, lookalikes, ledger), key=lambda piece: piece.start)
    return pieces


def _pieces(text: str, spans: Iterable[Span], ledger: Ledger) -> list[Piece]:
    return [Piece(start=span.start, end=span.end, placeholder=ledger.placeholder_of(span, text)) for span in spans]
