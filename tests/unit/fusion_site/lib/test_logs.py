from __future__ import annotations

import json
import logging.config

import pytest
import structlog

from fusion_site.lib.logs import configure_structlog, logging_settings


@pytest.fixture
def restore_logging():
    yield
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@pytest.mark.usefixtures("restore_logging")
def test_a_plain_and_a_structured_event_come_out_as_json(capsys):
    configure_structlog()
    logging.config.dictConfig(logging_settings(style="json", level="INFO"))

    logging.getLogger("somewhere").warning("plain %s", "event", extra={"run_id": 7})
    structlog.get_logger("somewhere").warning("structured event", run_id=8)

    plain, structured = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (plain["event"], plain["run_id"], plain["level"]) == ("plain event", 7, "warning")
    assert (structured["event"], structured["run_id"], structured["logger"]) == ("structured event", 8, "somewhere")


@pytest.mark.usefixtures("restore_logging")
def test_the_console_style_is_one_plain_line(capsys):
    logging.config.dictConfig(logging_settings(style="console", level="INFO"))

    logging.getLogger("somewhere").warning("plain event")

    assert "plain event" in capsys.readouterr().err


@pytest.mark.usefixtures("restore_logging")
@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_names_the_error_and_no_local_variable(capsys, style):
    logging.config.dictConfig(logging_settings(style=style, level="INFO"))

    try:
        key = "sk-very-" + "secret"
        raise RuntimeError(f"failed with a key of {len(key)} characters")
    except RuntimeError:
        logging.getLogger("somewhere").exception("it failed")

    printed = capsys.readouterr().err
    assert "RuntimeError: failed with a key of 14 characters" in printed
    assert "sk-very-secret" not in printed
