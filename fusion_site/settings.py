"""Django's settings. Everything that differs between installations comes from ``fusion_site.lib.env``."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import django_stubs_ext

from fusion_site.lib.broker import broker_options
from fusion_site.lib.csp import POLICY
from fusion_site.lib.database import database_settings
from fusion_site.lib.env import BASE_DIR, InvalidEnvironment, keep_secret, load_env
from fusion_site.lib.logs import configure_structlog, logging_settings
from fusion_site.lib.mail import mail_settings

# Django's forms and admin classes take type parameters in its stubs only; this lets them take any at run time.
django_stubs_ext.monkeypatch()

try:
    ENV = load_env()
except InvalidEnvironment as error:
    sys.exit(f"Quorum cannot start.\n{error}")

DATA_DIR = ENV.quorum_data_dir
DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key or keep_secret(DATA_DIR / "secret_key")
ALLOWED_HOSTS = list(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENV.csrf_trusted_origins)

ROOT_URLCONF = "fusion_site.urls"
ASGI_APPLICATION = "fusion_site.asgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "servestatic",
    "template_partials",
    "panels",
    "evaluation",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "fusion_site.lib.htmx.HtmxRedirectMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "evaluation.views.review_gate.ReviewGateMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": [
                "django.contrib.humanize.templatetags.humanize",
                "django.templatetags.static",
                "template_partials.templatetags.partials",
                "fusion_site.lib.display",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "fusion_site.lib.csp.csp_nonce",
            ],
        },
    }
]

# Data

DATABASES = {"default": database_settings(url=ENV.database_url, data_dir=DATA_DIR, pool_size=ENV.quorum_db_pool_size)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "incoming"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
PRIVATE_PROVIDERS = ENV.quorum_private_providers  # may providers stand in private networks?
MAX_UPLOAD_BYTES = ENV.quorum_max_upload_mb * 1024 * 1024  # of one file of a dataset

# Static files. Without a folder that collectstatic filled, they are served from where they lie.

STATIC_URL = "/static/"
STATIC_ROOT = ENV.quorum_static_root
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "fusion_site.lib.finders.PlotlyFinder",
]
SERVESTATIC_USE_FINDERS = STATIC_ROOT is None
SERVESTATIC_AUTOREFRESH = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Who may come in

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False

CONTENT_SECURITY_POLICY = POLICY
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.quorum_https
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if ENV.quorum_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL_REDIRECT = ENV.quorum_https
SECURE_REDIRECT_EXEMPT = ["^healthz$"]  # asked from inside, where there is no TLS
# Being on the browsers' own list binds the whole domain for years; that is its owner's to ask for.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.quorum_https else None

# Notices. Without a mail server they are printed where the process was started; the pages tell as well.

PUBLIC_URL = ENV.public_url
DEFAULT_FROM_EMAIL = ENV.quorum_email_from
globals().update(mail_settings(ENV.quorum_email_url))

# Background work. The database is the truth and a message only wakes a worker, so nothing here has to be kept.

CELERY_BROKER_URL = ENV.celery_broker_url
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {**broker_options(DATA_DIR / "broker"), "polling_interval": 0.25} if ENV.uses_embedded_broker else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = ENV.quorum_worker_threads
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not ENV.uses_embedded_broker
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # the schedule is fixed; there is no last run worth a file
CELERY_BEAT_SCHEDULE = {
    # A message that was not taken within its period would only repeat the next one.
    "sweep runs": {"task": "evaluation.sweep_runs", "schedule": 5.0, "options": {"expires": 5.0}},
    "sweep imports": {"task": "evaluation.sweep_imports", "schedule": 30.0, "options": {"expires": 30.0}},
    "sweep rollups": {"task": "evaluation.sweep_rollups", "schedule": 30.0, "options": {"expires": 30.0}},
    "sweep changes": {"task": "panels.sweep_changes", "schedule": 15.0, "options": {"expires": 15.0}},
    "forget maps": {"task": "evaluation.forget_expired_maps", "schedule": 600.0, "options": {"expires": 600.0}},
}

# Where the broker is Redis, worker processes tell each other there of providers in trouble.
SHARED_STATE_URL = ENV.celery_broker_url if ENV.celery_broker_url.startswith(("redis://", "rediss://")) else None

configure_structlog()
LOGGING = logging_settings(style=ENV.quorum_log_format, level=ENV.quorum_log_level)
TIME_ZONE = ENV.time_zone
USE_TZ = True
USE_I18N = False
LANGUAGE_CODE = "en"
