from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from evaluation.models import Arm, ReviewAssignment, ReviewItem, ReviewSession, ReviewSlot, Run, Workflow
from evaluation.policies import (
    WrongState,
    require_review_closable,
    require_review_pausable,
    require_review_startable,
)
from evaluation.services.review_pairs import (
    GROUP,
    NO_VALUE,
    Expected,
    Pair,
    Pick,
    gold_count,
    is_expectation,
    known_pairs,
    pick_known,
    pick_regular,
    run_pairs,
)
from evaluation.services.review_slots import NotAssigned, expire_leases
from evaluation.services.review_texts import (
    FrozenAnswer,
    NameFinder,
    frozen_answers,
    inventory_names,
    question_of,
    reference_of,
)
from evaluation.services.rubrics import standard_rubric

_METHODS = frozenset(ReviewSession.Method.values) - {ReviewSession.Method.IMPORTED}
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """A review session to be. ``size`` regular items; the share ``overlap`` of them gets ``overlap_votes`` votes.

    ``strata_field`` is ``group`` or a key of the examples' meta. ``expected`` names, by item id, the levels of facts
    that are right, ``{"first": [1, 2], "second": [3]}``: these are then the items for calibration and gold; where it
    is empty, items that the dataset's scorer has marked are.
    """

    title: str
    run: Run
    first_arm: Arm
    second_arm: Arm
    size: int
    workflow: Workflow | None = None
    method: str = ReviewSession.Method.RANDOM
    strata_field: str = ""
    overlap: float = 0.25
    overlap_votes: int = 2
    calibration_count: int = 8
    gold_share: float = 0.05
    shows_evidence: bool = True
    shows_reference: bool = False
    reveals: bool = False
    open_queue: bool = False
    reviewers: tuple[User, ...] = ()
    adjudicators: tuple[User, ...] = ()
    expected: Mapping[str, Expected] = field(default_factory=dict)

    @property
    def gold_count(self) -> int:
        return gold_count(self.size, self.gold_share)


class InvalidReviewSession(Exception):
    """A session that could not be held. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(message for _, message in problems))


@transaction.atomic
def create_review_session(*, plan: SessionPlan, by: User | None, now: datetime, seed: str = "") -> ReviewSession:
    """A draft with its items, slots and people; every text is frozen. Raises InvalidReviewSession with all problems.

    ``seed``, 64 hex digits, is drawn where it is not given.
    """
    problems = [*_plan_problems(plan)]
    if problems:
        raise InvalidReviewSession(problems)
    pairs = run_pairs(plan.run, plan.first_arm, plan.second_arm, plan.expected)
    seed = seed or secrets.token_hex(32)
    picks = _picks(plan, pairs, seed)
    session = _store_session(plan, by, now, seed, population=len(pairs) - _known_count(plan))
    items = _store_items(session, picks)
    _store_slots(session, [item for item in items if item.kind == ReviewItem.Kind.REGULAR])
    store_people(session, reviewers=plan.reviewers, adjudicators=plan.adjudicators, now=now)
    return session


def start_review_session(*, session: ReviewSession, now: datetime) -> ReviewSession:
    """Opens a draft, or goes on after a pause. Raises WrongState."""
    session.refresh_from_db()
    require_review_startable(session)
    return _move(session, ReviewSession.State.OPEN, opened_at=session.opened_at or now)


def pause_review_session(*, session: ReviewSession) -> ReviewSession:
    """No further item is handed out; a vote under way is still taken. Raises WrongState."""
    session.refresh_from_db()
    require_review_pausable(session)
    return _move(session, ReviewSession.State.PAUSED)


@transaction.atomic
def close_review_session(*, session: ReviewSession, now: datetime) -> ReviewSession:
    """Ends it for good: votes that are under way are refused. Raises WrongState."""
    session.refresh_from_db()
    require_review_closable(session)
    expire_leases(session=session, now=now)
    return _move(session, ReviewSession.State.CLOSED, closed_at=now)


def join_session(*, session: ReviewSession, person: User, now: datetime) -> ReviewAssignment:
    """Takes part in an open queue, once. Raises NotAssigned where reviewers are named by the owner."""
    known = ReviewAssignment.objects.filter(session=session, person=person).first()
    if known is not None:
        return known
    if not session.open_queue:
        raise NotAssigned("The owner of this session names its reviewers.")
    return assign_person(session=session, person=person, role=ReviewAssignment.Role.REVIEWER, now=now)


def assign_person(*, session: ReviewSession, person: User, role: str, now: datetime) -> ReviewAssignment:
    """One part a person; whoever has one already gets the new role."""
    assignment, _ = ReviewAssignment.objects.update_or_create(
        session=session, person=person, defaults={"role": role}, create_defaults={"role": role, "created_at": now}
    )
    return assignment


def _plan_problems(plan: SessionPlan) -> Iterator[tuple[str, str]]:
    if not plan.title.strip():
        yield "title", "Give the session a title."
    yield from _run_problems(plan)
    if plan.method not in _METHODS:
        yield "method", "Choose how the items are drawn."
    if plan.method == ReviewSession.Method.STRATIFIED and not plan.strata_field:
        yield "strata_field", "Name the field to stratify by: group, or a key of the items’ meta."
    yield from _number_problems(plan)
    yield from _people_problems(plan)


def _run_problems(plan: SessionPlan) -> Iterator[tuple[str, str]]:
    if plan.run.state != Run.State.FINISHED:
        yield "run", "Only a finished run can be reviewed."
    if plan.first_arm.pk == plan.second_arm.pk:
        yield "second_arm", "Choose two different arms."
    if {plan.first_arm.experiment_id, plan.second_arm.experiment_id} != {plan.run.experiment_id}:
        yield "first_arm", "Both arms have to belong to the run."


def _number_problems(plan: SessionPlan) -> Iterator[tuple[str, str]]:
    if plan.size < 1:
        yield "size", "Ask for at least one item."
    if not 0 <= plan.overlap <= 1:
        yield "overlap", "Overlap is a share between 0 and 100 %."
    if plan.overlap_votes not in {2, 3}:
        yield "overlap_votes", "An overlapping item gets two or three votes."
    if not 0 <= plan.gold_share <= 0.5:
        yield "gold_share", "At most half of the items can be gold ones."
    if plan.calibration_count < 0:
        yield "calibration_count", "Calibration takes 0 items or more."


def _people_problems(plan: SessionPlan) -> Iterator[tuple[str, str]]:
    if not plan.reviewers and not plan.open_queue:
        yield "reviewers", "Name reviewers, or open the queue to everybody who reviews."
    if {person.pk for person in plan.reviewers} & {person.pk for person in plan.adjudicators}:
        yield "adjudicators", "An adjudicator settles what reviewers dispute, so nobody can be both."
    votes_each = plan.overlap_votes if plan.overlap > 0 else 1
    if not plan.open_queue and 0 < len(plan.reviewers) < votes_each:
        yield "reviewers", f"{votes_each} votes on one item take {votes_each} reviewers."
    if not all(is_expectation(levels) for levels in plan.expected.values()):
        yield "expected", "Expected levels are 1 to 5, for the first, the second or both answers."


def _known_count(plan: SessionPlan) -> int:
    return plan.calibration_count + plan.gold_count


def _picks(plan: SessionPlan, pairs: Sequence[Pair], seed: str) -> list[Pick]:
    """Raises InvalidReviewSession where the run has too few items."""
    known = known_pairs(pairs, told=plan.expected)
    problems = [*_supply_problems(plan, pairs=len(pairs), known=len(known)), *_strata_problems(plan, pairs)]
    if problems:
        raise InvalidReviewSession(problems)
    special = pick_known(known, calibration=plan.calibration_count, gold=plan.gold_count, seed=seed)
    taken = {pick.pair.example.pk for pick in special}
    rest = [pair for pair in pairs if pair.example.pk not in taken]
    kind = plan.run.experiment.dataset_version.answer_kind
    regular = pick_regular(rest, size=plan.size, method=plan.method, field=plan.strata_field, kind=kind, seed=seed)
    return [*special, *regular]


def _supply_problems(plan: SessionPlan, *, pairs: int, known: int) -> Iterator[tuple[str, str]]:
    wanted = _known_count(plan)
    if known < wanted:
        message = (
            f"{plan.calibration_count} calibration and {plan.gold_count} gold items take {wanted} items with a known "
            f"answer; there are {known}. Ask for fewer, or name the expected levels of some items."
        )
        yield "calibration_count", message
    elif pairs < plan.size + wanted:
        message = (
            f"The run has {pairs} items that both arms took up, {wanted} of them are for calibration and gold. "
            f"Ask for at most {pairs - wanted}."
        )
        yield "size", message


def _strata_problems(plan: SessionPlan, pairs: Sequence[Pair]) -> Iterator[tuple[str, str]]:
    if plan.method != ReviewSession.Method.STRATIFIED or not pairs:
        return
    if all(pair.stratum(plan.strata_field) == NO_VALUE for pair in pairs):
        known = ", ".join(sorted({GROUP, *(key for pair in pairs for key in pair.example.meta)}))
        yield "strata_field", f"No item has a “{plan.strata_field}”; the items’ fields are {known}."


def _store_session(plan: SessionPlan, by: User | None, now: datetime, seed: str, *, population: int) -> ReviewSession:
    copied = (
        "run", "first_arm", "second_arm", "method", "strata_field", "overlap", "overlap_votes", "calibration_count",
        "gold_share", "shows_evidence", "shows_reference", "reveals", "open_queue",
    )  # fmt: skip
    return ReviewSession.objects.create(
        title=plan.title.strip(),
        workflow=plan.workflow or plan.run.experiment.workflow,
        seed=seed,
        rubric=standard_rubric(now=now),
        population=population,
        created_at=now,
        created_by=by,
        **{name: getattr(plan, name) for name in copied},
    )


def _store_items(session: ReviewSession, picks: Sequence[Pick]) -> list[ReviewItem]:
    finder = NameFinder(inventory_names())
    answers = [answer for pick in picks for answer in (pick.pair.first, pick.pair.second)]
    texts = frozen_answers(answers)
    overlapping = _overlapping(session, picks)
    return ReviewItem.objects.bulk_create(
        (
            _item(session, position, pick, texts, finder, overlaps=position in overlapping)
            for position, pick in enumerate(picks)
        ),
        batch_size=_ROWS_AT_ONCE,
    )


def _overlapping(session: ReviewSession, picks: Sequence[Pick]) -> set[int]:
    regular = [place for place, pick in enumerate(picks) if pick.kind == ReviewItem.Kind.REGULAR]
    chance = random.Random(f"{session.seed}:overlap")  # a repeatable draw
    return set(chance.sample(regular, round(session.overlap * len(regular))))


def _item(
    session: ReviewSession,
    position: int,
    pick: Pick,
    texts: Mapping[int, FrozenAnswer],
    finder: NameFinder,
    *,
    overlaps: bool,
) -> ReviewItem:
    pair = pick.pair
    first, second = texts[pair.first.pk], texts[pair.second.pk]
    is_regular = pick.kind == ReviewItem.Kind.REGULAR
    return ReviewItem(
        session=session,
        position=position,
        kind=pick.kind,
        example=pair.example,
        first_answer=pair.first,
        second_answer=pair.second,
        name=pair.example.item_id,
        question=question_of(pair.example, shows_evidence=session.shows_evidence) or pair.example.item_id,
        evidence=pair.example.context,
        reference=reference_of(pair.example),
        first_text=first.text,
        second_text=second.text,
        first_state=first.state,
        second_state=second.state,
        inclusion=pick.inclusion,
        stratum=pick.stratum,
        names_found=finder.names_in(first.text, second.text),
        expected=None if is_regular else pair.expected,
        wanted=(session.overlap_votes if overlaps else 1) if is_regular else 0,
    )


def _store_slots(session: ReviewSession, items: Sequence[ReviewItem]) -> None:
    ReviewSlot.objects.bulk_create(
        (
            ReviewSlot(session=session, item=item, number=number, position=item.position)
            for item in items
            for number in range(item.wanted)
        ),
        batch_size=_ROWS_AT_ONCE,
    )


def store_people(
    session: ReviewSession, *, reviewers: Iterable[User], adjudicators: Iterable[User], now: datetime
) -> None:
    """The parts of a session that was just made."""
    roles = ReviewAssignment.Role
    parts = [(person, roles.REVIEWER) for person in reviewers]
    parts += [(person, roles.ADJUDICATOR) for person in adjudicators]
    ReviewAssignment.objects.bulk_create(
        ReviewAssignment(session=session, person=person, role=role, created_at=now) for person, role in parts
    )


def _move(session: ReviewSession, state: ReviewSession.State, **fields: object) -> ReviewSession:
    """Changes the state only if it is still what the rules were checked against."""
    if not ReviewSession.objects.filter(pk=session.pk, state=session.state).update(state=state, **fields):
        raise WrongState("The session's state has just changed. Look again.")
    session.refresh_from_db()
    return session
