"""The settings of the tests: those of the service, on a data folder that is thrown away, with nothing slow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

DATA = tempfile.mkdtemp(prefix="quorum-tests-")
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
SERVICES = os.environ.get("QUORUM_TEST_SERVICES") == "1"

for name in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "TIME_ZONE", "QUORUM_HTTPS", "QUORUM_STATIC_ROOT"):
    os.environ.pop(name, None)
os.environ["QUORUM_DATA_DIR"] = DATA
os.environ["QUORUM_LOG_LEVEL"] = "WARNING"
if not SERVICES:
    os.environ.pop("DATABASE_URL", None)
    os.environ["CELERY_BROKER_URL"] = "memory://"

from fusion_site.settings import *  # noqa: E402, F403 - the environment comes first
from fusion_site.settings import DATABASES, MIDDLEWARE, STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
# One test's broken provider is not the next one's; those that share say so.
SHARED_STATE_URL = None
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# It only runs in an event loop; the live server of the browser tests serves static files by itself.
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("servestatic.")]

if SERVICES:
    # A pool would hold connections to the test database while it is dropped.
    DATABASES["default"]["OPTIONS"].pop("pool")
else:
    # A file, as in service: threads on a database in memory lock each other out.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATA}/test.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF"
