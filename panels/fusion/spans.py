"""Whether a span that was quoted really stands in a text."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w")
# Models set quotation marks, hyphens and ellipses anew when they copy.
_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "–": "-", "…": "..."})
_AROUND = " \"'."


def normalise_span(text: str) -> str:
    """Lower case, white space collapsed, typographic marks plain: the form in which spans are looked for."""
    return " ".join(text.translate(_TYPOGRAPHY).casefold().split())


def stands_in(quote: str, normalised: str) -> bool:
    """Whether ``quote`` is a span of a text that ``normalise_span`` made; what has no letter or digit is no quote."""
    span = normalise_span(quote).strip(_AROUND)
    return _WORD.search(span) is not None and span in normalised
