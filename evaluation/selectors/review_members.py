"""Which members brought in the claims that reviewers found wrong: who stood behind the answer, who had said it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.models import Answer, Call, ReviewSession
from evaluation.selectors.attempts import text_of
from evaluation.selectors.review_judged import JudgedItem, arm_names
from evaluation.stats.review_levels import Verdict
from panels.fusion.answers import content_tokens

# A sentence counts as said by a member whose answer holds at least this share of its words.
SAID_FROM = 0.8
_AT_ONCE = 500

Seats = Mapping[int, Call]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPart:
    """``behind_failed`` of ``failed`` answers that failed had this member's vote, and so of those that passed.

    Only answers whose winning vote is known count, and only those this member was asked for. ``said`` of ``marked``
    sentences stand in its own answer.
    """

    name: str
    behind_failed: int
    failed: int
    behind_passed: int
    passed: int
    said: int
    marked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMembers:
    """``unsaid`` of ``marked`` sentences stand in no member's answer: they came in when the answer was written."""

    arm: str
    members: tuple[MemberPart, ...]
    marked: int
    unsaid: int


@dataclass(slots=True)
class _Tally:
    """Counts by seat."""

    failed: Counter[int] = field(default_factory=Counter)
    behind_failed: Counter[int] = field(default_factory=Counter)
    passed: Counter[int] = field(default_factory=Counter)
    behind_passed: Counter[int] = field(default_factory=Counter)
    asked_marked: Counter[int] = field(default_factory=Counter)
    said: Counter[int] = field(default_factory=Counter)
    marked: int = 0
    unsaid: int = 0

    def add_answer(self, seats: Seats, winner: int | None, *, has_failed: bool) -> None:
        """Nothing is known of who stood behind a text that the arbiter wrote."""
        call = None if winner is None else seats.get(winner)
        group = None if call is None else call.group
        if group is None:
            return
        asked, behind = (self.failed, self.behind_failed) if has_failed else (self.passed, self.behind_passed)
        asked.update(seats.keys())
        behind.update(seat for seat, other in seats.items() if other.group == group)

    def add_marks(self, seats: Seats, sentences: Sequence[str]) -> None:
        words = {seat: content_tokens(text_of(call)) for seat, call in seats.items()}
        for sentence in sentences:
            sayers = [seat for seat, said in words.items() if _says(said, sentence)]
            self.said.update(sayers)
            self.asked_marked.update(seats.keys())
            self.marked += 1
            self.unsaid += not sayers


def bad_claim_members(session: ReviewSession, judged: Sequence[JudgedItem]) -> tuple[ArmMembers, ...]:
    """Of every arm with several members. Two queries per 500 judged answers of an arm."""
    names = arm_names(session)
    found = (_arm_members(names[arm], judged, arm) for arm in (0, 1))
    return tuple(one for one in found if one is not None)


def _arm_members(name: str, judged: Sequence[JudgedItem], arm: int) -> ArmMembers | None:
    settled = {pk: one for one in judged if one.is_settled(arm) and (pk := _answer_id(one, arm)) is not None}
    tally, seat_names = _Tally(), dict[int, str]()
    for answer, seats in _answers_with_seats(list(settled)):
        one = settled[answer.pk]
        has_failed = one.verdict(arm) is Verdict.FAIL
        seat_names |= {seat: call.model.name for seat, call in seats.items()}
        tally.add_answer(seats, answer.winner_seat, has_failed=has_failed)
        if has_failed:
            tally.add_marks(seats, sorted({mark.text for mark in one.marks if mark.arm == arm}))
    if len(seat_names) < 2:
        return None
    return ArmMembers(arm=name, members=_parts(tally, seat_names), marked=tally.marked, unsaid=tally.unsaid)


def _answer_id(one: JudgedItem, arm: int) -> int | None:
    return one.item.first_answer_id if arm == 0 else one.item.second_answer_id


def _answers_with_seats(answers: Sequence[int]) -> Iterator[tuple[Answer, Seats]]:
    for start in range(0, len(answers), _AT_ONCE):
        some = answers[start : start + _AT_ONCE]
        seats = _seats(some)
        for answer in Answer.objects.filter(pk__in=some).only("winner_seat"):
            yield answer, seats.get(answer.pk, {})


def _seats(answers: Sequence[int]) -> Mapping[int, Seats]:
    """By answer, of every seat the last attempt."""
    seats: dict[int, dict[int, Call]] = {}
    calls = Call.objects.filter(answer__in=answers, role=Call.Role.MEMBER)
    for call in calls.select_related("model", "reused_from", "recorded_output").order_by("seat", "attempt"):
        seats.setdefault(call.answer_id, {})[call.seat] = call
    return seats


def _says(words: frozenset[str], sentence: str) -> bool:
    wanted = content_tokens(sentence)
    return bool(wanted) and len(wanted & words) >= SAID_FROM * len(wanted)


def _parts(tally: _Tally, names: Mapping[int, str]) -> tuple[MemberPart, ...]:
    """In panel order; a model that holds several seats is named with its seat."""
    often = Counter(names.values())
    return tuple(
        MemberPart(
            name=name if often[name] == 1 else f"{name}, seat {seat + 1}",
            behind_failed=tally.behind_failed[seat],
            failed=tally.failed[seat],
            behind_passed=tally.behind_passed[seat],
            passed=tally.passed[seat],
            said=tally.said[seat],
            marked=tally.asked_marked[seat],
        )
        for seat, name in sorted(names.items())
    )
