"""Every environment variable the service reads, its default, and what to do when it is wrong."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

import dj_database_url
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fusion_site.lib.mail import mail_settings

BASE_DIR = Path(__file__).resolve().parents[2]
EMBEDDED_BROKER = "quorum-files://localhost"
BROKER_SCHEMES = ("amqp", "amqps", "memory", "pyamqp", "quorum-files", "redis", "rediss", "sentinel")

Names = Annotated[tuple[str, ...], NoDecode]
Port = Annotated[int, Field(ge=1, le=65535)]

REMEDIES = {
    "SECRET_KEY": "Set it to at least 32 random characters, or unset it to have one made and kept in the data folder.",
    "DEBUG": "Set it to true or false.",
    "ALLOWED_HOSTS": "Set it to host names separated by commas, for example quorum.example.com,localhost.",
    "CSRF_TRUSTED_ORIGINS": "Set it to origins separated by commas, for example https://quorum.example.com.",
    "DATABASE_URL": "Set it to postgres://user:password@host:5432/name, or unset it to use SQLite in the data folder.",
    "CELERY_BROKER_URL": "Set it to redis://host:6379/0 or amqp://host//, or unset it to use files in the data folder.",
    "TIME_ZONE": "Set it to a name such as UTC or Europe/Berlin.",
    "QUORUM_DATA_DIR": "Set it to a folder this process may write to.",
    "QUORUM_STATIC_ROOT": "Set it to the folder that collectstatic fills, or unset it.",
    "QUORUM_HTTPS": "Set it to true where the service is reached over https only, else false.",
    "QUORUM_LOG_FORMAT": "Set it to console or json.",
    "QUORUM_LOG_LEVEL": "Set it to DEBUG, INFO, WARNING or ERROR.",
    "QUORUM_PORT": "Set it to a free port from 1 to 65535; the default is 8000.",
    "QUORUM_SIMULATOR_PORT": "Set it to a free port from 1 to 65535; the default is 8765.",
    "QUORUM_WORKER_THREADS": "Set it to a number from 1 to 64; the default is 4.",
    "QUORUM_MAX_UPLOAD_MB": "Set it to a number of megabytes from 1 to 4096; the default is 256.",
    "QUORUM_PUBLIC_URL": "Set it to the address of the service, for example https://quorum.example.com, or unset it.",
    "QUORUM_EMAIL_URL": "Set it to smtp://user:password@host:587 (smtps:// for TLS from the start), or unset it.",
    "QUORUM_EMAIL_FROM": "Set it to the address that notices come from, for example quorum@example.com.",
    "QUORUM_PRIVATE_PROVIDERS": "Set it to true where providers may stand in private networks, else false.",
    "QUORUM_DB_POOL_SIZE": "Set it to a number from 1 to 200; the default is 10.",
}


class InvalidEnvironment(Exception):
    """One or more variables cannot be used. The message has one line for each: its name, the fault, the remedy."""


class Env(BaseSettings):
    """The settings of one process. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=True)

    secret_key: Annotated[str, Field(min_length=32)] | None = None
    debug: bool = False
    allowed_hosts: Names = ("localhost", "127.0.0.1", "[::1]")
    csrf_trusted_origins: Names = ()
    database_url: str | None = None
    celery_broker_url: str = EMBEDDED_BROKER
    time_zone: str = "UTC"
    quorum_data_dir: Path = BASE_DIR / "var"
    quorum_static_root: Path | None = None
    quorum_https: bool = False
    quorum_private_providers: bool = False
    quorum_log_format: Literal["console", "json"] = "console"
    quorum_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    quorum_port: Port = 8000
    quorum_simulator_port: Port = 8765
    quorum_worker_threads: Annotated[int, Field(ge=1, le=64)] = 4
    quorum_db_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    quorum_public_url: str | None = None
    quorum_email_url: str | None = None
    quorum_email_from: str = "quorum@localhost"
    quorum_max_upload_mb: Annotated[int, Field(ge=1, le=4096)] = 256

    @field_validator("allowed_hosts", "csrf_trusted_origins", mode="before")
    @classmethod
    def split_names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("csrf_trusted_origins")
    @classmethod
    def require_scheme(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in value if not origin.startswith(("http://", "https://"))]:
            raise ValueError(f"{wrong[0]} does not begin with http:// or https://")
        return value

    @field_validator("database_url")
    @classmethod
    def require_known_database(cls, value: str | None) -> str | None:
        if value is not None:
            engine = dj_database_url.parse(value).get("ENGINE", "")
            if engine not in {"django.db.backends.postgresql", "django.db.backends.sqlite3"}:
                raise ValueError("only PostgreSQL and SQLite are supported")
        return value

    @field_validator("celery_broker_url")
    @classmethod
    def require_known_broker(cls, value: str) -> str:
        scheme, separator, _ = value.partition("://")
        if not separator or scheme not in BROKER_SCHEMES:
            raise ValueError("the part before :// is not a known broker")
        return value

    @field_validator("quorum_public_url")
    @classmethod
    def require_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("it does not begin with http:// or https://")
        return None if value is None else value.rstrip("/")

    @field_validator("quorum_email_url")
    @classmethod
    def require_mail_server(cls, value: str | None) -> str | None:
        if value is not None:
            mail_settings(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def require_known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value} is not a known time zone")
        return value

    @field_validator("quorum_data_dir")
    @classmethod
    def require_writable_folder(cls, value: Path) -> Path:
        folder = value.expanduser().resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cannot make {folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"{folder} cannot be written to")
        return folder

    @property
    def public_url(self) -> str:
        """Where people reach the service, for links in mails."""
        return self.quorum_public_url or f"http://127.0.0.1:{self.quorum_port}"

    @property
    def uses_embedded_broker(self) -> bool:
        return self.celery_broker_url == EMBEDDED_BROKER


def load_env() -> Env:
    """Read this process's environment; raises ``InvalidEnvironment``."""
    try:
        return Env()
    except ValidationError as error:
        lines = [_describe(str(fault["loc"][0]), fault["msg"]) for fault in error.errors()]
        raise InvalidEnvironment("\n".join(lines)) from None


def _describe(field: str, fault: str) -> str:
    """One line. The value itself is left out: it may hold a password."""
    name = field.upper()
    reason = fault.removeprefix("Value error, ")
    reason = reason.replace("Input should", "it should").replace("String should", "it should")
    return f"{name} cannot be used: {reason}. {REMEDIES[name]}"


def keep_secret(path: Path) -> str:
    """The secret in the file ``path``, made there first if missing.

    Several processes may start at once: the whole file is linked into place, and whoever comes second reads the
    first one's.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
