from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from evaluation.execution.live_answers import MAX_REPLY_AGE, Answered, NotCallable, Wanted, answer_question
from evaluation.management.live_report import late_members, report_json, report_text
from evaluation.models import Workflow
from panels.fusion.modes import UnknownMode, mode_of
from panels.fusion.pricing import nanousd_from_dollars
from panels.fusion.privacy.cover import UnmaskableSchema
from panels.fusion.privacy.detectors import MaskingBlocked
from panels.fusion.privacy.values import SensitiveValueTooShort
from panels.fusion.schemas import schema_problem
from panels.fusion.types import AnswerKind, Message, ModelClient, Question
from panels.gate import GateClosed
from panels.gateway import MissingKey, open_clients
from panels.models import LanguageModel, PanelVersion
from panels.selectors.applications import applied_number
from panels.selectors.panels import with_members

_NO_ANSWER = 1
_BAD_REQUEST = 2
_REFUSED = (GateClosed, MaskingBlocked, MissingKey, NotCallable, SensitiveValueTooShort, UnknownMode, UnmaskableSchema)
_CLOSED = frozenset({AnswerKind.CHOICE, AnswerKind.LABEL})
# What the database holds, and far more than anybody pays for an answer.
_MOST_NANOUSD = 10**18


class Command(BaseCommand):
    help = "Puts a question to a panel, here and now, and says how the answer came about and what it cost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("panel", help="the panel's slug, its applied version; or slug@2 for another, on trial")
        parser.add_argument("question", help="what to ask; - reads it from standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
        parser.add_argument(
            "--workflow", metavar="SLUG", help="whose data it is; without one it counts as internal data"
        )
        parser.add_argument("--mode", help="budget, quality, or a number from 0 (budget) to 1 (quality)")
        parser.add_argument("--max-cost", metavar="USD", help="ceiling of this request, in dollars; never crossed")
        parser.add_argument("--deadline", metavar="SECONDS", help="give the best answer at hand after this")
        parser.add_argument("--kind", choices=[kind.value for kind in AnswerKind], help="how answers are read; text")
        parser.add_argument("--choice", action="append", default=[], help="a permitted answer; may be repeated")
        parser.add_argument("--schema", type=Path, metavar="FILE", help="JSON schema of a json answer")
        parser.add_argument("--system", metavar="TEXT", help="a system message before the question")
        parser.add_argument("--evidence", type=Path, metavar="FILE", help="the text that claims are checked against")
        parser.add_argument(
            "--mask", action="store_true", help="replace personal data by placeholders before it leaves"
        )
        parser.add_argument(
            "--sensitive", action="append", default=[], metavar="NAME=VALUE", help="a value to mask, for example a name"
        )
        parser.add_argument("--fresh", action="store_true", help="reuse no reply that was bought before")
        parser.add_argument("--max-age", metavar="SECONDS", help="oldest reply to reuse; 86400 unless told otherwise")

    def handle(self, *, panel: str, **options: Any) -> None:
        try:
            version, is_trial = _version(panel)
            answered = answer_question(
                version=version,
                wanted=_wanted(options),
                clients_for=_clients_for,
                clock=timezone.now,
                on_answer=partial(self._show, version=version, is_trial=is_trial, as_json=options["json"]),
            )
        except _REFUSED as error:
            raise CommandError(str(error), returncode=_BAD_REQUEST) from error
        except DatabaseError as error:
            message = f"the database cannot be used ({error}); run: python manage.py migrate"
            raise CommandError(message, returncode=_BAD_REQUEST) from error
        if answered.live.reason:
            sys.exit(_NO_ANSWER)

    def _show(self, answered: Answered, *, version: PanelVersion, is_trial: bool, as_json: bool) -> None:
        """At once: whoever set a deadline does not wait for what comes after it."""
        report = _as_json(answered, version, is_trial) if as_json else _as_text(answered, version, is_trial)
        self.stdout.write(report)
        self.stdout.flush()
        if late := late_members(answered):
            self.stderr.write(f"Waiting for what was late, to record it: {', '.join(late)}.")


def _as_json(answered: Answered, version: PanelVersion, is_trial: bool) -> str:
    report = {**report_json(answered, version), "trial": is_trial}
    return json.dumps(report, ensure_ascii=False, allow_nan=False)


def _as_text(answered: Answered, version: PanelVersion, is_trial: bool) -> str:
    name = f"{version.panel.slug}@{version.number}"
    trial = f"This is a trial: {name} is not the applied version of its panel. Live traffic needs an applied one."
    return "\n".join([report_text(answered, version), *([trial] if is_trial else [])])


def _clients_for(
    models: Sequence[LanguageModel], concurrency: int
) -> AbstractAsyncContextManager[dict[str, ModelClient]]:
    """Somebody waits: an outage is not sat out."""
    return open_clients(models, concurrency=concurrency, environ=os.environ)


def _version(panel: str) -> tuple[PanelVersion, bool]:
    """The version that was asked for, and whether that is a trial: it is not the applied one.

    Without a number it is the applied version, or where none was ever applied the latest, on trial.
    """
    slug, _, number = panel.partition("@")
    versions = with_members(PanelVersion.objects.filter(panel__slug=slug)).order_by("-number")
    if number and not (number.isascii() and number.isdigit()):
        raise _bad(f"“{panel}” names no version; write {slug}@2 for the second.")
    applied = applied_number(slug)
    wanted = int(number) if number else applied
    found = (versions if wanted is None else versions.filter(number=wanted)).first()
    if found is None:
        known = ", ".join(PanelVersion.objects.order_by("panel__slug").values_list("panel__slug", flat=True).distinct())
        raise _bad(f"There is no panel {panel}. There are: {known or 'none yet'}.")
    return found, found.number != applied


def _wanted(options: dict[str, Any]) -> Wanted:
    sensitive = _sensitive(options["sensitive"])
    return Wanted(
        question=_question(options),
        workflow=_workflow(options["workflow"]),
        mode=None if options["mode"] is None else mode_of(options["mode"]),
        ceiling_nanousd=_ceiling(options["max_cost"]),
        deadline_s=_seconds(options["deadline"], "--deadline"),
        masks=bool(options["mask"] or sensitive),
        sensitive=sensitive,
        max_age=_max_age(options),
    )


def _workflow(slug: str | None) -> Workflow | None:
    if slug is None:
        return None
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is None:
        known = ", ".join(Workflow.objects.order_by("slug").values_list("slug", flat=True))
        raise _bad(f"There is no workflow {slug}. There are: {known or 'none yet'}.")
    return workflow


def _question(options: dict[str, Any]) -> Question:
    text = sys.stdin.read() if options["question"] == "-" else options["question"]
    if not text.strip():
        raise _bad("The question is empty. Write it after the panel's name, or - to read it from standard input.")
    system = [("system", _readable(options["system"], "--system"))] if options["system"] else []
    messages = (*system, ("user", _readable(text, "The question")))
    kind = _kind(options)
    return Question(
        item_id="",
        messages=tuple(Message(role=role, content=content) for role, content in messages),
        kind=kind,
        choices=tuple(_readable(choice, "--choice") for choice in options["choice"]),
        evidence=_read(options["evidence"], "--evidence"),
        schema=_schema(options["schema"]),
    )


def _kind(options: dict[str, Any]) -> AnswerKind:
    """The kind that was named, or the one that a schema or choices speak of."""
    choices, schema = options["choice"], options["schema"]
    usual = AnswerKind.JSON if schema else AnswerKind.LABEL if choices else AnswerKind.TEXT
    kind = AnswerKind(options["kind"] or usual)
    if kind in _CLOSED and len(set(choices)) < 2:
        raise _bad(f"Answer kind {kind} needs at least two permitted answers: add --choice for each.")
    if choices and kind not in _CLOSED:
        raise _bad(f"--choice goes with answer kind label or choice, not with {kind}.")
    if schema and kind is not AnswerKind.JSON:
        raise _bad(f"--schema goes with answer kind json, not with {kind}.")
    return kind


def _schema(path: Path | None) -> str:
    text = _read(path, "--schema")
    problem = schema_problem(text) if path is not None else ""
    if problem:
        raise _bad(f"--schema {path}: {problem}")
    return text


def _read(path: Path | None, option: str) -> str:
    try:
        return "" if path is None else _readable(path.read_text(encoding="utf-8"), f"{option} {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(f"{option} {path} cannot be read: {error}") from error


def _readable(text: str, what: str) -> str:
    """As it is; the shell hands on bytes that are no text, and a file may hold NUL, which databases refuse."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _bad(f"{what} is no text in UTF-8.")
    return text


def _ceiling(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        nanousd = nanousd_from_dollars(Decimal(text))
    except (InvalidOperation, ValueError) as error:
        raise _bad(f"--max-cost takes an amount of dollars such as 0.02, not {text}.") from error
    if not 0 < nanousd <= _MOST_NANOUSD:
        raise _bad("--max-cost must be at least 0.000000001 and at most 1000000000 dollars.")
    return nanousd


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise _bad(f"{option} must be a number of seconds above 0, not {text}.")
    return seconds


def _max_age(options: dict[str, Any]) -> timedelta:
    if options["fresh"]:
        return timedelta(0)
    seconds = _seconds(options["max_age"], "--max-age")
    return MAX_REPLY_AGE if seconds is None else timedelta(seconds=min(seconds, 10.0**9))


def _sensitive(entries: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        name, _, value = entry.partition("=")
        if not (name and value):
            raise _bad(
                f"--sensitive takes NAME=VALUE, for example customer=Ada Lovelace; {name or 'one'} has no value."
            )
        if name in found:
            raise _bad(f"--sensitive names {name} twice. Give every value a name of its own.")
        found[name] = _readable(value, f"--sensitive {name}")
    return found


def _bad(message: str) -> CommandError:
    return CommandError(message, returncode=_BAD_REQUEST)
