"""A small recorded dataset with JSON answers: four bills read by three models, none of which is right on all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {
        "payee": {"type": "string"},
        "total": {"type": "number"},
        "currency": {"enum": ["EUR", "CHF"]},
        "due": {"type": ["string", "null"], "format": "date"},
        "paid": {"type": "boolean"},
    },
    "required": ["payee", "total"],
    "dependentRequired": {"due": ["currency"]},
    "additionalProperties": False,
}
BILL = {"payee": "Stadtwerke Bern", "total": 120.5, "currency": "CHF", "due": "2026-03-01"}
MODELS = ("small", "medium", "large")
_FENCED = "Here is the bill:\n```json\n{}\n```"


def _but(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (BILL | changes).items() if value != "left out"}


# By item, what each model says: an object, or a text that is none.
SAID: dict[str, tuple[object, object, object]] = {
    # Each is wrong in another field; what they make together is right, and nobody said it.
    "merged": (_but(total=12.05), _but(due="2026-01-03"), _but(payee="Post", currency="EUR")),
    "agreed": (_but(), _but(total=120.50000001), _but(payee="the Stadtwerke Bern")),
    # One cannot be read, one breaks the schema.
    "alone": ("I could not read it.", _but(total="120.50"), _but()),
    # Two name a date, each with another currency or none that wins: the fields together are not valid.
    "torn": (_but(payee="A", due="left out", currency="left out"), _but(payee="B", currency="EUR"), _but(payee="C")),
}
REFERENCES = dict.fromkeys(SAID, BILL) | {"torn": _but(payee="C")}


def write_bills(folder: Path) -> Path:
    """Writes the files; gives the path of the spec of a benchmark over them."""
    items = [
        {"id": name, "prompt": f"Read the bill “{name}”.", "schema": SCHEMA, "reference": reference}
        for name, reference in REFERENCES.items()
    ]
    outputs = [
        {"item_id": name, "model": model, "text": text if isinstance(text, str) else _FENCED.format(json.dumps(text))}
        for name, texts in SAID.items()
        for model, text in zip(MODELS, texts, strict=True)
    ]
    _write(folder / "items.jsonl", items)
    _write(folder / "outputs.jsonl", outputs)
    spec = folder / "spec.toml"
    spec.write_text(_SPEC)
    return spec


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


_SPEC = """
title = "Bills"
[dataset]
items = "items.jsonl"
recorded = "outputs.jsonl"
answer = "json"
[[arm]]
name = "large"
baseline = true
members = ["large"]
[[arm]]
name = "three"
members = ["small", "medium", "large"]
[[arm]]
name = "weighted"
members = ["small", "medium", "large"]
strategy = "weighted"
weights = [1, 1, 5]
[[arm]]
name = "fitted"
members = ["small", "medium", "large"]
strategy = "weighted"
weights_from = { items = "items.jsonl", recorded = "outputs.jsonl" }
"""
