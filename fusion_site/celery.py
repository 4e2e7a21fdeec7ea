"""The Celery application; every setting is in ``fusion_site.settings`` under ``CELERY_``."""

from __future__ import annotations

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from fusion_site.lib.env import EMBEDDED_BROKER

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fusion_site.settings")
TRANSPORT_ALIASES[EMBEDDED_BROKER.partition("://")[0]] = "fusion_site.lib.broker:Transport"

app = Celery("quorum")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
