"""The process of one bench: Django on a fresh database in the folder that was made for it, then the bench itself."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command


def open_scratch() -> Path:
    """Migrates the scratch database; gives its folder. Refuses any other data folder: it may be the user's."""
    folder = Path(os.environ.get("QUORUM_DATA_DIR", ""))
    if not folder.name.startswith("quorum-bench-") or folder.parent != Path(tempfile.gettempdir()):
        raise SystemExit("Start a bench as: python -m tests.bench NAME")
    django.setup()
    call_command("migrate", verbosity=0)
    return folder


if __name__ == "__main__":
    scratch = open_scratch()
    # Only now: a bench imports models.
    import_module(sys.argv[1]).main(scratch)
