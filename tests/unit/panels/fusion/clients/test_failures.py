from __future__ import annotations

from datetime import UTC, datetime

import pytest

from panels.fusion.clients.failures import (
    ProviderError,
    classify,
    describe_body,
    failure_of_status,
    parse_retry_after,
    read_error,
)
from panels.fusion.types import FailureKind

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"choices": []}, None),
        ({"error": None}, None),
        ({"error": {}}, None),
        (["error"], None),
        ({"error": "no such thing"}, ProviderError(message="no such thing")),
        (
            {"error": {"message": "m", "type": "t", "param": None, "code": "c"}},
            ProviderError(message="m", codes=("c", "t")),
        ),
        ({"error": {"message": "m", "code": 502}}, ProviderError(message="m", status=502)),
        ({"error": {"message": "m", "code": "429"}}, ProviderError(message="m", codes=("429",), status=429)),
        ({"error": {"message": "m", "code": 200}}, ProviderError(message="m")),
        (
            {"error": {"type": "overloaded_error"}},
            ProviderError(message="overloaded_error", codes=("overloaded_error",), status=529),
        ),
        ({"error": {"message": 3}}, ProviderError(message="error without a message")),
        ({"object": "error", "message": "m", "code": 404}, ProviderError(message="m", status=404)),
        ({"error": {"message": "m", "metadata": {"flagged_input": "x"}}}, ProviderError(message="m", flagged=True)),
    ],
)
def test_errors_are_read_in_every_shape_in_use(payload, expected):
    assert read_error(payload) == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.REQUEST),
        (401, FailureKind.AUTHENTICATION),
        (402, FailureKind.PAYMENT),
        (403, FailureKind.AUTHENTICATION),
        (404, FailureKind.INVALID_MODEL),
        (408, FailureKind.TIMEOUT),
        (409, FailureKind.SERVER),
        (307, FailureKind.REQUEST),
        (422, FailureKind.REQUEST),
        (429, FailureKind.RATE_LIMITED),
        (500, FailureKind.SERVER),
        (503, FailureKind.SERVER),
        (529, FailureKind.SERVER),
        (None, FailureKind.SERVER),
    ],
)
def test_a_status_has_a_kind(status, kind):
    assert classify(ProviderError(message="m"), status_code=status) is kind


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ProviderError(message="m", codes=("model_not_found",)), 400, FailureKind.INVALID_MODEL),
        (ProviderError(message="x/y is not a valid model ID"), 400, FailureKind.INVALID_MODEL),
        (ProviderError(message="m", codes=("insufficient_quota",)), 429, FailureKind.PAYMENT),
        (ProviderError(message="m", codes=("content_filter",)), 400, FailureKind.REFUSED),
        (ProviderError(message="m", flagged=True), 403, FailureKind.REFUSED),
        (ProviderError(message="m", codes=("unheard_of",)), 400, FailureKind.REQUEST),
    ],
)
def test_what_the_body_says_counts_more_than_the_status(error, status, kind):
    assert classify(error, status_code=status) is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "empty body"),
        (" \n", "empty body"),
        ("upstream connect error", "upstream connect error"),
        ("<!DOCTYPE html><title>502\n Bad Gateway</title>", "HTML page: 502 Bad Gateway"),
        ("\n<html><body>down</body></html>", "HTML page"),
    ],
)
def test_a_body_that_is_no_json_is_described(body, words):
    assert describe_body(body) == words


def test_a_failure_keeps_what_is_needed_to_try_again():
    failure = failure_of_status(status_code=429, payload=None, body="slow down", retry_after_s=7.0, latency_s=0.2)
    assert (failure.kind, failure.status_code, failure.retry_after_s, failure.latency_s) == (
        FailureKind.RATE_LIMITED,
        429,
        7.0,
        0.2,
    )
    assert failure.detail == "HTTP 429: slow down"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.25", 0.25),
        ("-4", 0.0),
        ("nan", None),
        ("inf", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds
