"""The rows of a review session, as they were given and in terms of the arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evaluation.models import Adjudication, ReviewItem, ReviewSession, ReviewSlot, ReviewVote
from evaluation.stats.review_levels import judgement

Row = dict[str, Any]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "votes": (
        "item", "kind", "reviewer", "revision", "phase", "counts", "first_is_a", "facts_a", "facts_b", "preference_ab",
        "facts_first", "facts_second", "preference", "unsure", "flagged", "note", "seconds", "created_at",
    ),
    "marks": ("item", "reviewer", "revision", "side", "arm", "sentence", "text", "error"),
    "slots": ("item", "number", "state", "reviewer", "skip_reason", "by_rule", "personal", "seen_at", "acted_at"),
    "settled": ("item", "by", "facts_first", "facts_second", "preference", "reason", "created_at"),
    "items": (
        "item", "position", "kind", "question", "first_text", "second_text", "first_state", "second_state", "inclusion",
        "stratum", "wanted", "names_found",
    ),
    "rubric": ("rubric", "number", "sha256", "question", "title", "value", "label"),
}  # fmt: skip


def export_rows(session: ReviewSession, what: str) -> Iterator[Row]:
    """``what`` is a key of COLUMNS."""
    return _ROWS[what](session)


def _votes(session: ReviewSession) -> Iterator[Row]:
    counting = _counting(session)
    for vote in _all_votes(session):
        mapped = judgement(
            facts_a=vote.facts_a,
            facts_b=vote.facts_b,
            preference=vote.preference,
            unsure=vote.unsure,
            first_is_a=vote.first_is_a,
        )
        plain = ("revision", "phase", "first_is_a", "facts_a", "facts_b", "unsure", "flagged", "note", "seconds")
        yield {
            **_of_slot(vote.slot),
            "kind": vote.slot.item.kind,
            **{name: getattr(vote, name) for name in plain},
            "counts": vote.pk in counting,
            "preference_ab": vote.preference,
            "facts_first": mapped.first,
            "facts_second": mapped.second,
            "preference": mapped.preference,
            "created_at": vote.created_at.isoformat(),
        }


def _counting(session: ReviewSession) -> set[int]:
    """Of every slot the last blind vote."""
    blind = ReviewVote.objects.filter(slot__session=session, phase=ReviewVote.Phase.FIRST).order_by("slot", "revision")
    return set(dict(blind.values_list("slot", "pk")).values())


def _marks(session: ReviewSession) -> Iterator[Row]:
    for vote in _all_votes(session):
        for chip in vote.chips:
            is_first = (chip["side"] == "a") == vote.first_is_a
            yield {
                **_of_slot(vote.slot),
                "revision": vote.revision,
                "side": chip["side"],
                "arm": "first" if is_first else "second",
                "sentence": chip["sentence"],
                "text": chip["text"],
                "error": chip["kind"],
            }


def _all_votes(session: ReviewSession) -> Iterator[ReviewVote]:
    votes = ReviewVote.objects.filter(slot__session=session).select_related("slot__item", "slot__person")
    return votes.order_by("slot__position", "slot__number", "revision").iterator(chunk_size=500)


def _slots(session: ReviewSession) -> Iterator[Row]:
    slots = ReviewSlot.objects.filter(session=session).select_related("item", "person")
    for slot in slots.order_by("position", "number").iterator(chunk_size=500):
        plain = ("number", "state", "skip_reason", "by_rule", "personal")
        times = {name: getattr(slot, name) for name in ("seen_at", "acted_at")}
        yield {
            **_of_slot(slot),
            **{name: getattr(slot, name) for name in plain},
            **{name: None if moment is None else moment.isoformat() for name, moment in times.items()},
        }


def _of_slot(slot: ReviewSlot) -> Row:
    reviewer = slot.rater if slot.person is None else slot.person.get_username()
    return {"item": _name(slot.item), "reviewer": reviewer}


def _settled(session: ReviewSession) -> Iterator[Row]:
    """What an adjudicator decided, which counts in place of the votes."""
    found = Adjudication.objects.filter(item__session=session).select_related("item", "by").order_by("item__position")
    for one in found.iterator(chunk_size=500):
        yield {
            "item": _name(one.item),
            "by": one.by.get_username(),
            "facts_first": one.first_facts,
            "facts_second": one.second_facts,
            "preference": one.preference,
            "reason": one.reason,
            "created_at": one.created_at.isoformat(),
        }


def _name(item: ReviewItem) -> str:
    return item.name or str(item.position)


def _items(session: ReviewSession) -> Iterator[Row]:
    for item in session.items.order_by("position").iterator(chunk_size=500):
        row = {name: getattr(item, name) for name in COLUMNS["items"] if name not in {"item", "names_found"}}
        yield {"item": _name(item), **row, "names_found": ", ".join(item.names_found)}


def _rubric(session: ReviewSession) -> Iterator[Row]:
    rubric = session.rubric
    head = {"rubric": rubric.name, "number": rubric.number, "sha256": rubric.sha256}
    for question in rubric.questions:
        for level in question["levels"]:
            yield {**head, "question": question["key"], "title": question["title"], **level}


_ROWS: Mapping[str, Callable[[ReviewSession], Iterator[Row]]] = {
    "votes": _votes,
    "marks": _marks,
    "slots": _slots,
    "settled": _settled,
    "items": _items,
    "rubric": _rubric,
}
