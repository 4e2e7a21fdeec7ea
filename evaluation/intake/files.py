"""Lines of a file that a stranger sent: packed or not, in bounded memory, with what is wrong named by line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from evaluation.intake.limits import MIB, Limits
from evaluation.intake.problems import ProblemList

GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_CHECK_EVERY = MIB
# Below this a high ratio is a short file of blanks, not an attack.
_RATIO_FROM_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to read. ``name`` is what the person called it; ``mapping`` says for CSV which column holds a field."""

    path: Path
    name: str
    mapping: Mapping[str, str] = field(default_factory=dict)


class UnreadableFile(Exception):
    """Nothing more can be read from the file; ``line`` is where it ended."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def ignore_progress(_bytes_read: int) -> None:
    """For a reader that nobody watches."""


@dataclass(slots=True, kw_only=True)
class Intake:
    """What the readers of one import share: limits, the problems found, and who is told of the bytes read."""

    limits: Limits
    problems: ProblemList
    on_bytes: Callable[[int], None] = ignore_progress

    def report(self, source: SourceFile, line: int, message: str, *, field: str = "") -> None:
        self.problems.add(file=source.name, line=line, field=field, message=message)


def read_lines(source: SourceFile, intake: Intake) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines with their ends. A line that is not UTF-8 is reported and left out.

    Raises UnreadableFile where the file cannot be opened or unpacked, or breaks a limit.
    """
    number = 0
    try:
        with source.path.open("rb") as stored:
            for number, raw in enumerate(_raw_lines(stored, intake), start=1):
                text = _decode(raw, number, source, intake)
                if text is not None:
                    yield number, text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableFile(number + 1, "the gzip file is damaged or cut off; pack it again") from error
    except OSError as error:
        raise UnreadableFile(0, f"the file cannot be read: {error.strerror or error}") from error


def _raw_lines(stored: IO[bytes], intake: Intake) -> Iterator[bytes]:
    packed = stored.read(2) == GZIP
    stored.seek(0)
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=stored)) if packed else stored
    guard = _Guard(stored, packed=packed, intake=intake)
    number = 0
    while raw := stream.readline(intake.limits.line_bytes + 1):
        number += 1
        if number == 1:
            _refuse_foreign(raw)
            raw = raw.removeprefix(_BOM)
        if len(raw) > intake.limits.line_bytes:
            raise UnreadableFile(number, f"the line is longer than {_megabytes(intake.limits.line_bytes)}; shorten it")
        guard.count(number, len(raw))
        yield raw
    guard.finish()


class _Guard:
    """Counts what was unpacked against the limits, and tells how much of the stored file was read."""

    def __init__(self, stored: IO[bytes], *, packed: bool, intake: Intake) -> None:
        self._stored = stored
        self._packed = packed
        self._intake = intake
        self._text_bytes = 0
        self._checked = 0
        self._told = 0

    def count(self, number: int, size: int) -> None:
        self._text_bytes += size
        if self._text_bytes - self._checked >= _CHECK_EVERY:
            self._check(number)

    def finish(self) -> None:
        self._tell()

    def _check(self, number: int) -> None:
        self._checked = self._text_bytes
        limits = self._intake.limits
        if self._text_bytes > limits.text_bytes:
            raise UnreadableFile(number, f"the text is larger than {_megabytes(limits.text_bytes)}; split the file")
        if self._packed and self._text_bytes > max(_RATIO_FROM_BYTES, limits.unpack_ratio * self._stored.tell()):
            message = f"the file unpacks to more than {limits.unpack_ratio} times its size, as a zip bomb does"
            raise UnreadableFile(number, f"{message}; send it unpacked if it is meant")
        self._tell()

    def _tell(self) -> None:
        position = self._stored.tell()
        self._intake.on_bytes(position - self._told)
        self._told = position


def _refuse_foreign(raw: bytes) -> None:
    if raw.startswith(_ZIP):
        raise UnreadableFile(
            1, "this is a zip archive or a spreadsheet; save it as CSV or JSONL, packed with gzip if large"
        )
    if raw.startswith(GZIP):
        raise UnreadableFile(1, "the file was packed twice with gzip; unpack it once")
    if raw.startswith(_UTF16):
        raise UnreadableFile(1, "the text is UTF-16; save the file as UTF-8")


def _decode(raw: bytes, number: int, source: SourceFile, intake: Intake) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} of the line (0x{raw[error.start]:02X})"
        intake.report(source, number, f"{where} is not UTF-8; save the file as UTF-8")
        return None


def _megabytes(size: int) -> str:
    return f"{size / MIB:,.0f} MB" if size >= MIB else f"{size:,} bytes"
