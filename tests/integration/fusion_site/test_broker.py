"""The broker this run of the tests is set to: in memory on SQLite, Redis in the service suite."""

from __future__ import annotations

from queue import Empty
from uuid import uuid4

import pytest

from fusion_site.celery import app


def test_a_message_comes_back_from_the_broker_once():
    with app.connection_for_write() as connection, connection.SimpleQueue(f"tests-{uuid4()}") as queue:
        queue.put({"run_id": 7})
        message = queue.get(timeout=5)
        message.ack()

        assert message.payload == {"run_id": 7}
        with pytest.raises(Empty):
            queue.get(block=False)


def test_only_json_is_taken_and_an_unfinished_task_is_given_back():
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_acks_late
    assert app.conf.task_ignore_result


def test_the_beat_wakes_the_sweepers():
    schedule = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}

    assert schedule == {
        "evaluation.sweep_runs": 5.0,
        "evaluation.sweep_imports": 30.0,
        "evaluation.forget_expired_maps": 600.0,
        "panels.sweep_changes": 15.0,
        "evaluation.sweep_rollups": 30.0,
    }
