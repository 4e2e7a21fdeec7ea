from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a file may hold before it is refused. The defaults are far beyond real data and short of harm.

    ``text_bytes``: of the unpacked text, ten times a large upload; beyond it a disk is the target, not a benchmark.
    ``unpack_ratio``: real JSON packs 5 to 20 times, deflate can reach 1,032 with nothing but repetition.
    ``line_bytes``: a line is held in memory; a prompt of a million tokens is about 4 MB.
    ``document_bytes``: a JSON document (one list instead of lines) has to be read whole.
    ``items``: their ids are kept in memory to find duplicates, about 150 bytes each.
    ``models``: one bit per item and model finds two outputs for one pair.
    """

    text_bytes: int = 2_560 * MIB
    unpack_ratio: int = 200
    line_bytes: int = 4 * MIB
    document_bytes: int = 32 * MIB
    items: int = 1_000_000
    models: int = 500
    problems: int = 50


DEFAULT_LIMITS = Limits()
