"""What was cut short in an answer, as a sentence: who, what, and what stands instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.selectors.runs import failure_words

_WORDS = {
    "single_survivor": "Only one member brought an answer ({reason}).",
    "arbiter_recused": "The arbiter was not asked: its model sits on the panel and may not judge itself.",
    "arbiter_failed": "The arbiter brought nothing ({reason}), so the vote decided.",
    "arbiter_unreadable": "What the arbiter wrote could not be used ({reason}), so the vote decided.",
    "nothing_supported": "The vote decided, since {reason}.",
    "candidate_cut": "The arbiter saw only the beginning of what {member} wrote: {reason}.",
    "without_arbiter": "No arbiter was asked: {reason}. The vote decided.",
    "merge_invalid": "The fields together do not satisfy the schema ({reason}), so the largest group's answer stands.",
    "deadline": "The deadline came first: {reason}.",
}
# What was cut short, where there is room for a few words only.
_KINDS = {
    "member_failed": "member failed",
    "single_survivor": "one member left",
    "arbiter_recused": "arbiter recused",
    "arbiter_failed": "arbiter failed",
    "arbiter_unreadable": "arbiter unreadable",
    "nothing_supported": "nothing supported",
    "candidate_cut": "candidate cut",
    "without_arbiter": "no arbiter asked",
    "merge_invalid": "fields do not fit",
    "deadline": "deadline",
}


def kind_words(kind: str) -> str:
    """A kind of degradation, ``Answer.degraded[…]["kind"]``, in two or three words."""
    return _KINDS.get(kind, failure_words(kind))


def degradation_words(cut: Mapping[str, Any], members: Mapping[int, str]) -> str:
    """``cut`` is an entry of ``Answer.degraded``, ``members`` names the seats."""
    seat = cut.get("seat")
    member = "" if seat is None else members.get(seat, f"seat {seat + 1}")
    reason = failure_words(cut["reason"])
    if cut["kind"] == "member_failed":
        return f"{member} brought nothing: {reason}."
    words = _WORDS.get(cut["kind"], "")
    if words:
        return words.format(reason=reason, member=member)
    named = f"{failure_words(cut['kind']).capitalize()}{f' ({member})' if member else ''}"
    return f"{named}: {reason}." if reason else f"{named}."
