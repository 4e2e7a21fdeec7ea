from __future__ import annotations

from fusion_site.lib.database import database_settings


def test_the_default_is_sqlite_under_the_data_folder_with_immediate_transactions(tmp_path):
    config = database_settings(url=None, data_dir=tmp_path, pool_size=3)

    assert config["NAME"] == str(tmp_path / "quorum.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_postgresql_gets_a_pool_of_the_size_that_was_asked_for(tmp_path):
    config = database_settings(url="postgres://u:p@db:5433/quorum?sslmode=require", data_dir=tmp_path, pool_size=3)

    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db", 5433, "quorum")
    assert config["OPTIONS"]["pool"]["max_size"] == 3
    assert config["OPTIONS"]["sslmode"] == "require"
    assert "transaction_mode" not in config["OPTIONS"]
