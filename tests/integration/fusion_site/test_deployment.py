"""Django's own list of what a service in production must not leave open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = {
    "SECRET_KEY": "kq3-fV0w8LrT5nYb2eHc7uXs1mJd9oPzA4gRiE6tWkQvNyB-p0Zx5KdL2",
    "ALLOWED_HOSTS": "quorum.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://quorum.example.com",
    "QUORUM_HTTPS": "true",
    "QUORUM_LOG_FORMAT": "json",
    "DATABASE_URL": "postgres://quorum:secret@database.example.com:5432/quorum",
    "CELERY_BROKER_URL": "redis://broker.example.com:6379/0",
}


def check(data_dir, **environment):
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=kept | {"QUORUM_DATA_DIR": str(data_dir)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.processes
def test_production_settings_leave_nothing_open(tmp_path):
    checked = check(tmp_path, **PRODUCTION)
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


@pytest.mark.processes
def test_the_check_notices_what_is_open(tmp_path):
    checked = check(tmp_path, **(PRODUCTION | {"QUORUM_HTTPS": "false"}))
    assert checked.returncode == 1
    assert "security.W008" in checked.stderr
