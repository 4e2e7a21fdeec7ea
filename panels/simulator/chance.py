"""Chance as a hash: the same question to chance gets the same answer, in every process and on every machine."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b

_UNIFORMS = struct.Struct("<8Q")


@dataclass(frozen=True, slots=True)
class Draws:
    """Independent uniforms in [0, 1), each spent on one question."""

    follows_shared: float
    private_difficulty: float
    which_wrong: float
    unreadable: float
    verbosity: float
    latency: float
    fault: float
    pick: float


def draw_uniforms(*parts: object) -> tuple[float, ...]:
    """Eight uniforms in [0, 1) that depend on ``parts`` alone."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "replace")
    # 53 bits: what a float holds without rounding up to 1.
    return tuple((bits >> 11) / 2**53 for bits in _UNIFORMS.unpack(blake2b(text).digest()))


def draw(*parts: object) -> Draws:
    return Draws(*draw_uniforms(*parts))
