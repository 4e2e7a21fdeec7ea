from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from panels.selectors.audit import BrokenLink, verify_chain

_NO_DATABASE = 2


class Command(BaseCommand):
    help = "Recomputes the audit chain: prints its head, or names the first row that does not fit and exits 1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", default="", help="a head that a report shows; it must be a link of the chain (number:hash)"
        )

    def handle(self, *, head: str, **_: Any) -> None:
        try:
            found = verify_chain(noted=head)
        except DatabaseError as error:
            message = f"the database cannot be used ({error}); run: python manage.py migrate"
            raise CommandError(message, returncode=_NO_DATABASE) from error
        if isinstance(found, BrokenLink):
            raise CommandError(f"The audit chain is broken at entry {found.sequence}: {found.reason}.")
        self.stdout.write(f"The audit chain is whole. {found.sequence} entries, head {found}")
