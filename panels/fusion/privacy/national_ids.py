"""Numbers that states give to people: by their check digits, or by a shape that nothing else has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType

_LABEL_REACH = 32
_START, _END = r"(?<![\w.,+-])", r"(?![\w]|[.,-]\d)"
_SEP = r"[ \u00a0.-]?"


@dataclass(frozen=True, slots=True, kw_only=True)
class NationalId:
    """``module`` of python-stdnum checks what has the ``shape``; without one the shape alone decides.

    ``label``: words one of which must stand shortly before, where check digits pass too often by chance.
    """

    name: str
    shape: re.Pattern[str]
    module: str = ""
    label: re.Pattern[str] | None = None


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{_START}{pattern}{_END}", re.ASCII | re.IGNORECASE)


def _label(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE)


NATIONAL_IDS = (
    NationalId(name="US SSN", shape=_shape(r"\d{3}-\d{2}-\d{4}"), module="stdnum.us.ssn"),
    NationalId(
        name="GB NINO",
        shape=_shape(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
    ),
    NationalId(name="GB NHS number", shape=_shape(r"\d{3}[ -]\d{3}[ -]\d{4}"), module="stdnum.gb.nhs"),
    NationalId(name="GB NHS number", shape=_shape(r"\d{10}"), module="stdnum.gb.nhs", label=_label("nhs")),
    NationalId(
        name="DE IdNr", shape=_shape(rf"\d{{2}}{_SEP}\d{{3}}{_SEP}\d{{3}}{_SEP}\d{{3}}"), module="stdnum.de.idnr"
    ),
    NationalId(
        name="FR NIR",
        shape=_shape(rf"[12]{_SEP}\d{{2}}{_SEP}\d{{2}}{_SEP}\d[\dAB]{_SEP}\d{{3}}{_SEP}\d{{3}}{_SEP}\d{{2}}"),
        module="stdnum.fr.nir",
    ),
    NationalId(name="NL BSN", shape=_shape(r"\d{4}\.\d{2}\.\d{3}"), module="stdnum.nl.bsn"),
    NationalId(
        name="NL BSN",
        shape=_shape(r"\d{8,9}"),
        module="stdnum.nl.bsn",
        label=_label("bsn|burgerservicenummer|sofi(?:nummer)?"),
    ),
    NationalId(name="ES DNI", shape=_shape(rf"\d{{8}}{_SEP}[A-Z]"), module="stdnum.es.dni"),
    NationalId(name="ES NIE", shape=_shape(rf"[XYZ]{_SEP}\d{{7}}{_SEP}[A-Z]"), module="stdnum.es.nie"),
    NationalId(
        name="IT codice fiscale",
        shape=_shape(r"[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]"),
        module="stdnum.it.codicefiscale",
    ),
    NationalId(name="PL PESEL", shape=_shape(r"\d{11}"), module="stdnum.pl.pesel"),
    NationalId(
        name="BE NN",
        shape=_shape(rf"\d{{2}}{_SEP}\d{{2}}{_SEP}\d{{2}}[ -]?\d{{3}}{_SEP}\d{{2}}"),
        module="stdnum.be.nn",
    ),
    NationalId(name="SE personnummer", shape=_shape(r"(?:19|20)?\d{6}[-+]\d{4}"), module="stdnum.se.personnummer"),
    NationalId(name="DK CPR", shape=_shape(r"\d{6}-\d{4}"), module="stdnum.dk.cpr"),
    NationalId(name="FI HETU", shape=_shape(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]"), module="stdnum.fi.hetu"),
    NationalId(name="CH AHV", shape=_shape(r"756[ .]?\d{4}[ .]?\d{4}[ .]?\d{2}"), module="stdnum.ch.ssn"),
    NationalId(name="BR CPF", shape=_shape(r"\d{3}\.\d{3}\.\d{3}-\d{2}"), module="stdnum.br.cpf"),
)


def find_national_ids(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every hit of ``NATIONAL_IDS``; a number that is two countries' comes twice."""
    for national_id in NATIONAL_IDS:
        if national_id.label is None or national_id.label.search(text):
            yield from _find(text, national_id)


def _find(text: str, national_id: NationalId) -> Iterator[tuple[int, int]]:
    for match in national_id.shape.finditer(text):
        if _has_label(text, match.start(), national_id.label) and _is_valid(match[0], national_id.module):
            yield match.span()


def _has_label(text: str, start: int, label: re.Pattern[str] | None) -> bool:
    return label is None or label.search(text, max(0, start - _LABEL_REACH), start) is not None


def _is_valid(number: str, module: str) -> bool:
    return not module or bool(_checker(module).is_valid(number))


@lru_cache(maxsize=64)
def _checker(module: str) -> ModuleType:
    return import_module(module)
