"""``make test``'s last step: the browser tests, where there is a Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "functional"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """``QUORUM_CHROMIUM`` names one; else the first on the path."""
    return os.environ.get("QUORUM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        required = os.environ.get("QUORUM_REQUIRE_BROWSER") == "1"
        sys.stdout.write("Browser tests were not run: no Chromium on the path (QUORUM_CHROMIUM can name one).\n")
        return 1 if required else 0
    environment = {**os.environ, "QUORUM_CHROMIUM": chromium}
    command = [sys.executable, "-m", "pytest", str(FOLDER), *sys.argv[1:]]
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
