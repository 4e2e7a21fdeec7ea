"""How the members of a panel voted, for the vote bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from evaluation.models import Call


def votes_by_answer(answers: Sequence[int]) -> dict[int, tuple[tuple[float, ...], ...]]:
    """Members' weights by group in order of support; whoever cast no ballot is in a last group of its own."""
    calls = (
        Call.objects.filter(answer__in=answers, role=Call.Role.MEMBER)
        .order_by("answer", "seat", "attempt")
        .only("answer_id", "seat", "group", "weight")
    )
    return {
        answer: _clusters({call.seat: call for call in own}) for answer, own in groupby(calls, attrgetter("answer_id"))
    }


def _clusters(last_call: Mapping[int, Call]) -> tuple[tuple[float, ...], ...]:
    """``last_call`` by seat: of several attempts the last one counts."""
    groups: dict[int | None, list[float]] = {}
    for seat in sorted(last_call):
        groups.setdefault(last_call[seat].group, []).append(last_call[seat].weight)
    silent = groups.pop(None, None)
    spoken = [tuple(groups[rank]) for rank in sorted(group for group in groups if group is not None)]
    return (*spoken, tuple(silent)) if silent else tuple(spoken)
