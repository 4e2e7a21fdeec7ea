"""Review sessions from pair files: the answers of others, with the votes that people gave on them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction

from evaluation.intake.files import Intake, SourceFile
from evaluation.intake.limits import Limits
from evaluation.intake.pairs import PairFiles, PairRow, read_pairs
from evaluation.intake.problems import ProblemList
from evaluation.models import Example, ReviewItem, ReviewSession, ReviewSlot, ReviewVote, RubricVersion, Workflow
from evaluation.services.imports import ImportRejected
from evaluation.services.review_sessions import InvalidReviewSession, store_people
from evaluation.services.review_texts import NameFinder, inventory_names, question_of
from evaluation.services.rubrics import preference_rubric, standard_rubric

MOST_PAIRS = 20_000
MOST_VOTES = 3
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """A session of imported pairs. ``votes`` are wanted on every pair beside those in the file, 0 to 3.

    ``scale`` names the votes of the file that count, where its raters gave several.
    """

    title: str
    scale: str = ""
    votes: int = 0
    workflow: Workflow | None = None
    shows_evidence: bool = True
    shows_reference: bool = False
    open_queue: bool = False
    reviewers: tuple[User, ...] = ()
    adjudicators: tuple[User, ...] = ()


def import_pairs(*, plan: PairPlan, files: PairFiles, by: User | None, now: datetime) -> ReviewSession:
    """A draft where votes are still wanted, else a closed session with the votes of the file.

    Raises ImportRejected with what is wrong in which line, and InvalidReviewSession; nothing is half-saved.
    """
    intake = Intake(limits=Limits(items=MOST_PAIRS), problems=ProblemList())
    rows = read_pairs(files, intake, scale=plan.scale)
    if len(intake.problems):
        raise ImportRejected(tuple(intake.problems))
    problems = [*_plan_problems(plan, rows)]
    if problems:
        raise InvalidReviewSession(problems)
    return _store(plan, rows, by, now)


def import_uploaded_pairs(
    *, plan: PairPlan, pairs: File[bytes], outputs: File[bytes] | None, by: User | None, now: datetime
) -> ReviewSession:
    """``import_pairs`` of files that were sent; they are not kept."""
    with TemporaryDirectory() as folder:
        files = PairFiles(
            pairs=_on_disk(pairs, Path(folder) / "pairs"),
            outputs=None if outputs is None else _on_disk(outputs, Path(folder) / "outputs"),
        )
        return import_pairs(plan=plan, files=files, by=by, now=now)


def _on_disk(upload: File[bytes], path: Path) -> SourceFile:
    with path.open("wb") as stored:
        for chunk in upload.chunks():
            stored.write(chunk)
    return SourceFile(path=path, name=upload.name or path.name)


def _plan_problems(plan: PairPlan, rows: Sequence[PairRow]) -> Iterator[tuple[str, str]]:
    if not plan.title.strip():
        yield "title", "Give the session a title."
    if plan.votes not in range(MOST_VOTES + 1):
        yield "votes", f"Ask for 0 to {MOST_VOTES} votes on a pair."
    elif not plan.votes and not all(row.votes for row in rows):
        yield "votes", "The file has pairs without a vote: ask for at least one vote on a pair."
    if plan.votes and not plan.open_queue and len(plan.reviewers) < plan.votes:
        yield "reviewers", "Name as many reviewers as votes are wanted, or open the queue to everybody who reviews."
    if {person.pk for person in plan.reviewers} & {person.pk for person in plan.adjudicators}:
        yield "adjudicators", "An adjudicator settles what reviewers dispute, so nobody can be both."


@transaction.atomic
def _store(plan: PairPlan, rows: Sequence[PairRow], by: User | None, now: datetime) -> ReviewSession:
    session = _session(plan, rows, by, now)
    finder = NameFinder({*inventory_names(), *(model for row in rows for model in row.models)})
    items = ReviewItem.objects.bulk_create(
        (_item(session, position, row, finder, plan.votes) for position, row in enumerate(rows)),
        batch_size=_ROWS_AT_ONCE,
    )
    _store_votes(session, items, rows, now)
    _store_open_slots(session, items, rows, plan.votes)
    store_people(session, reviewers=plan.reviewers, adjudicators=plan.adjudicators, now=now)
    return session


def _session(plan: PairPlan, rows: Sequence[PairRow], by: User | None, now: datetime) -> ReviewSession:
    done = {} if plan.votes else {"state": ReviewSession.State.CLOSED, "opened_at": now, "closed_at": now}
    return ReviewSession.objects.create(
        title=plan.title.strip(),
        workflow=plan.workflow,
        seed=secrets.token_hex(32),
        rubric=standard_rubric(now=now) if plan.votes else _rubric(rows, now),
        method=ReviewSession.Method.IMPORTED,
        population=len(rows),
        overlap=sum(len(row.votes) + plan.votes > 1 for row in rows) / len(rows),
        gold_share=0.0,
        calibration_count=0,
        shows_evidence=plan.shows_evidence,
        shows_reference=plan.shows_reference,
        open_queue=plan.open_queue,
        created_at=now,
        created_by=by,
        **done,
    )


def _rubric(rows: Sequence[PairRow], now: datetime) -> RubricVersion:
    with_strength = any(row.has_strength for row in rows)
    return preference_rubric(now=now, with_strength=with_strength)


def _item(session: ReviewSession, position: int, row: PairRow, finder: NameFinder, votes: int) -> ReviewItem:
    first, second = row.first or "", row.second or ""
    return ReviewItem(
        session=session,
        position=position,
        name=row.item_id,
        question=question_of(Example(prompt=row.prompt, title=row.title)),
        evidence=row.context,
        reference=row.reference,
        first_text=first,
        second_text=second,
        first_state=_state(first),
        second_state=_state(second),
        stratum=row.group,
        names_found=finder.names_in(first, second),
        wanted=len(row.votes) + votes,
    )


def _state(text: str) -> str:
    return (ReviewItem.State.ANSWERED if text.strip() else ReviewItem.State.EMPTY).value


def _store_votes(session: ReviewSession, items: Sequence[ReviewItem], rows: Sequence[PairRow], now: datetime) -> None:
    """As given on sides A and B, which are the file's first and second."""
    given = [
        (item, number, *vote) for item, row in zip(items, rows, strict=True) for number, vote in enumerate(row.votes)
    ]
    slots = ReviewSlot.objects.bulk_create(
        (
            ReviewSlot(
                session=session, item=item, number=number, position=item.position, rater=rater,
                state=ReviewSlot.State.DONE, acted_at=now,
            )
            for item, number, rater, _ in given
        ),
        batch_size=_ROWS_AT_ONCE,
    )  # fmt: skip
    ReviewVote.objects.bulk_create(
        (
            ReviewVote(slot=slot, revision=1, first_is_a=True, preference=preference, created_at=now)
            for slot, (_, _, _, preference) in zip(slots, given, strict=True)
        ),
        batch_size=_ROWS_AT_ONCE,
    )


def _store_open_slots(session: ReviewSession, items: Sequence[ReviewItem], rows: Sequence[PairRow], votes: int) -> None:
    ReviewSlot.objects.bulk_create(
        (
            ReviewSlot(session=session, item=item, number=len(row.votes) + number, position=item.position)
            for item, row in zip(items, rows, strict=True)
            for number in range(votes)
        ),
        batch_size=_ROWS_AT_ONCE,
    )
