"""The settings of the service, on the data folder that the bench made for itself."""

from __future__ import annotations

from fusion_site.settings import *  # noqa: F403
from fusion_site.settings import MIDDLEWARE

# It only runs in an event loop, and Django's test client has none.
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("servestatic.")]
