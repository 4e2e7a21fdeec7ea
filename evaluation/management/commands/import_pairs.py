from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from evaluation.intake.files import SourceFile
from evaluation.intake.pairs import PairFiles
from evaluation.models import ReviewSession, ReviewVote
from evaluation.selectors.review_outcome import review_outcome
from evaluation.services.imports import ImportRejected
from evaluation.services.pair_imports import PairPlan, import_pairs
from evaluation.services.review_sessions import InvalidReviewSession
from evaluation.stats.agreement import Agreement


class Command(BaseCommand):
    help = (
        "Make a review session from a pair file. What is wrong is listed as file:line field: message; nothing is kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("title", help="of the session; for owners only")
        parser.add_argument("--pairs", required=True, type=Path, help="pairs: JSONL or CSV, plain or .gz")
        parser.add_argument("--outputs", type=Path, help="both models' outputs, where the pairs do not hold them")
        parser.add_argument("--scale", default="", help="the votes that count, where raters gave several")
        parser.add_argument("--votes", type=int, default=0, help="wanted beside those in the file, 0 to 3 (default 0)")
        parser.add_argument(
            "--reviewer", action="append", default=[], metavar="USERNAME", help="may stand several times"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            session = import_pairs(plan=_plan(options), files=_files(options), by=None, now=timezone.now())
        except (ImportRejected, InvalidReviewSession) as error:
            raise CommandError(str(error)) from error
        for line in _summary(session):
            self.stdout.write(line)


def _plan(options: dict[str, Any]) -> PairPlan:
    """Without reviewers the queue is open to everybody who reviews."""
    reviewers = tuple(_reviewer(name) for name in options["reviewer"])
    return PairPlan(
        title=options["title"],
        scale=options["scale"],
        votes=options["votes"],
        reviewers=reviewers,
        open_queue=bool(options["votes"]) and not reviewers,
    )


def _reviewer(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"--reviewer: nobody is called “{name}”")
    return found


def _files(options: dict[str, Any]) -> PairFiles:
    def source(path: Path) -> SourceFile:
        return SourceFile(path=path, name=str(path))

    outputs = options["outputs"]
    return PairFiles(pairs=source(options["pairs"]), outputs=None if outputs is None else source(outputs))


def _summary(session: ReviewSession) -> Iterator[str]:
    votes = ReviewVote.objects.filter(slot__session=session)
    raters = votes.values("slot__rater").distinct().count()
    counts = f"{session.items.count():,} pairs, {votes.count():,} votes of {raters} raters"
    yield f"session {session.pk}, {session.get_state_display().lower()}: {counts}"
    found = review_outcome(session).preference_agreement
    if found is not None:
        yield f"preference: {_words(found)}"


def _words(found: Agreement) -> str:
    if found.alpha is None or found.ac1 is None:
        return f"all alike on {found.items:,} pairs"
    interval = "" if found.interval is None else f" ({found.interval.low:.3f} to {found.interval.high:.3f})"
    return (
        f"ordinal alpha {found.alpha:.3f}{interval}, AC1 {found.ac1:.3f}, "
        f"{100 * found.share:.1f} % of pairs of votes alike, {found.items:,} pairs"
    )
