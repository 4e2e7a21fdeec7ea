from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file, and what to do about it. ``line`` 0 is the file as a whole."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line} {self.field}: {self.message}"
            if self.field
            else (f"{self.file}:{self.line}: {self.message}")
        )

    def as_json(self) -> dict[str, str | int]:
        return asdict(self)


class ProblemList:
    """The first problems of an import, at most ``limit``: a file with one wrong column is wrong on every line."""

    def __init__(self, limit: int = 50) -> None:
        self._limit = limit
        self._found: list[Problem] = []

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    @property
    def is_full(self) -> bool:
        return len(self._found) >= self._limit

    def add(self, *, file: str, line: int, field: str = "", message: str) -> None:
        if not self.is_full:
            self._found.append(Problem(file=file, line=line, field=field, message=message))
