"""The hash that tells whether a dataset's content was imported before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from evaluation.intake.items import Item, canonical_item
from evaluation.intake.models_file import ModelPrice, canonical_prices
from evaluation.intake.outputs import Output, canonical_output
from panels.fusion.types import AnswerKind


class ContentHash:
    """Fed in the order of the files. Two readings of one content agree; any difference in it shows."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.items = 0
        self.outputs = 0

    def add_item(self, item: Item) -> None:
        self.items += 1
        self._feed(canonical_item(item))

    def add_output(self, output: Output) -> None:
        self.outputs += 1
        self._feed(canonical_output(output))

    def finish(self, *, models: Iterable[ModelPrice], kind: AnswerKind, scorer: str, tolerance: float) -> str:
        self._feed(canonical_prices(models))
        self._feed(json.dumps([kind.value, scorer, tolerance]).encode())
        return self._hash.hexdigest()

    def _feed(self, content: bytes) -> None:
        self._hash.update(content)
        self._hash.update(b"\n")
