from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from fusion_site.lib.env import Env, InvalidEnvironment, keep_secret, load_env


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in Env.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("QUORUM_DATA_DIR", str(tmp_path / "data"))


def test_an_empty_environment_gives_the_embedded_default():
    env = load_env()

    assert (env.database_url, env.uses_embedded_broker, env.debug) == (None, True, False)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SECRET_KEY", "too short", "at least 32"),
        ("QUORUM_PUBLIC_URL", "quorum.example.com", "the address of the service"),
        ("QUORUM_EMAIL_URL", "mail.example.com", "smtp://"),
        ("DEBUG", "perhaps", "true or false"),
        ("CSRF_TRUSTED_ORIGINS", "quorum.example.com", "https://quorum.example.com"),
        ("DATABASE_URL", "mysql://127.0.0.1/quorum", "postgres://"),
        ("DATABASE_URL", "postgres://user:pa[ss@127.0.0.1/quorum", "postgres://"),
        ("CELERY_BROKER_URL", "127.0.0.1:6379", "redis://"),
        ("CELERY_BROKER_URL", "sqs://127.0.0.1", "redis://"),
        ("TIME_ZONE", "Europe/Atlantis", "Europe/Berlin"),
        ("QUORUM_HTTPS", "sometimes", "true"),
        ("QUORUM_LOG_FORMAT", "xml", "console or json"),
        ("QUORUM_LOG_LEVEL", "LOUD", "WARNING"),
        ("QUORUM_PORT", "70000", "65535"),
        ("QUORUM_SIMULATOR_PORT", "http", "8765"),
        ("QUORUM_WORKER_THREADS", "0", "1 to 64"),
        ("QUORUM_DB_POOL_SIZE", "-1", "1 to 200"),
    ],
)
def test_a_bad_variable_is_named_with_its_remedy(monkeypatch, name, value, remedy):
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidEnvironment) as caught:
        load_env()

    assert str(caught.value).startswith(f"{name} cannot be used: ")
    assert remedy in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUORUM_DATA_DIR", str(tmp_path / "file" / "data"))

    with pytest.raises(InvalidEnvironment, match="QUORUM_DATA_DIR cannot be used: cannot make"):
        load_env()


def test_all_bad_variables_are_named_at_once(monkeypatch):
    monkeypatch.setenv("QUORUM_PORT", "no")
    monkeypatch.setenv("TIME_ZONE", "no")

    with pytest.raises(InvalidEnvironment) as caught:
        load_env()

    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["TIME_ZONE", "QUORUM_PORT"]


def test_a_password_does_not_reach_the_message(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql://quorum:hunter2@127.0.0.1/quorum")

    with pytest.raises(InvalidEnvironment) as caught:
        load_env()

    assert "hunter2" not in str(caught.value)


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")

    assert load_env().database_url is None


def test_links_in_mails_lead_to_where_the_service_is_reached(monkeypatch):
    assert load_env().public_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("QUORUM_PUBLIC_URL", "https://quorum.example.com/")
    assert load_env().public_url == "https://quorum.example.com"


def test_names_are_split_at_commas(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,")

    assert load_env().allowed_hosts == ("a.example", "b.example")


def test_the_secret_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "secret_key"

    assert keep_secret(path) == keep_secret(path)
    assert len(keep_secret(path)) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_the_secret(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(lambda _: keep_secret(tmp_path / "secret_key"), range(64)))

    assert len(secrets) == 1
    assert os.listdir(tmp_path) == ["secret_key"]
