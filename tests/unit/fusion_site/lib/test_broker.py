from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

import fusion_site.celery  # noqa: F401 - registers the transport's name
from fusion_site.lib.broker import Channel, broker_options, write_whole
from fusion_site.lib.env import EMBEDDED_BROKER


def open_channel(connection: Connection) -> Channel:
    channel = connection.channel()
    assert isinstance(channel, Channel)
    return channel


@pytest.fixture
def connection(tmp_path):
    with Connection(EMBEDDED_BROKER, transport_options=broker_options(tmp_path)) as connection:
        yield connection


def test_a_message_arrives_once(connection):
    with connection.SimpleQueue("runs") as queue:
        queue.put({"run_id": 7})

        message = queue.get(timeout=2)
        message.ack()

        assert message.payload == {"run_id": 7}
        with pytest.raises(Empty):
            queue.get(block=False)


def test_messages_come_in_the_order_they_were_sent(connection):
    channel = open_channel(connection)
    for number in range(20):
        channel._put("runs", {"number": number})

    assert [channel._get("runs")["number"] for _ in range(20)] == list(range(20))


def test_a_queue_holds_its_own_messages_only(connection):
    channel = open_channel(connection)
    channel._put("runs", {"queue": "runs"})
    channel._put("imports", {"queue": "imports"})

    assert (channel._size("runs"), channel._purge("runs"), channel._size("runs")) == (1, 1, 0)
    assert channel._get("imports") == {"queue": "imports"}


def test_a_reader_never_sees_half_a_file(tmp_path):
    """While one thread writes long texts over one another, what stands at the path is always one of them."""
    path, long = tmp_path / "file", 200_000
    write_whole(path, "0" * long)
    done = threading.Event()

    def keep_writing():
        for number in range(200):
            write_whole(path, str(number % 10) * long)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(keep_writing)
        while not done.is_set():
            text = path.read_text()
            assert len(text) == long
            assert len(set(text)) == 1
        writing.result()


def test_a_message_that_is_still_being_written_is_not_taken(connection, monkeypatch):
    channel = open_channel(connection)
    seen = []
    replace = Path(channel.data_folder_out)
    monkeypatch.setattr("fusion_site.lib.broker.os.replace", lambda draft, path: seen.append(Path(draft)))
    channel._put("runs", {"run_id": 7})

    assert seen[0].parent == replace
    assert json.loads(seen[0].read_text()) == {"run_id": 7}
    with pytest.raises(Empty):
        channel._get("runs")


def test_many_readers_take_each_message_once(tmp_path):
    options = broker_options(tmp_path)
    with Connection(EMBEDDED_BROKER, transport_options=options) as connection:
        channel = open_channel(connection)
        for number in range(200):
            channel._put("runs", {"number": number})

    def take_all(_: int) -> list[int]:
        taken = []
        with Connection(EMBEDDED_BROKER, transport_options=options) as connection:
            channel = open_channel(connection)
            while True:
                try:
                    taken.append(channel._get("runs")["number"])
                except Empty:
                    return taken

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(number for numbers in pool.map(take_all, range(8)) for number in numbers)

    assert taken == Counter(range(200))


def test_routes_added_at_once_are_all_kept(tmp_path):
    """The stock table is read, changed and written in place: of two changes at once, one is lost."""
    options = broker_options(tmp_path)

    def bind(number: int) -> None:
        with Connection(EMBEDDED_BROKER, transport_options=options) as connection:
            open_channel(connection)._queue_bind("celery", f"key{number}", "", f"queue{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bind, range(40)))

    with Connection(EMBEDDED_BROKER, transport_options=options) as connection:
        table = open_channel(connection).get_table("celery")
    assert {route.queue for route in table} == {f"queue{number}" for number in range(40)}


def test_a_route_can_be_taken_out(connection):
    channel = open_channel(connection)
    channel.queue_declare("runs")
    channel._queue_bind("celery", "a", "", "runs")
    channel._queue_bind("celery", "b", "", "runs")

    channel._delete("runs", "celery", "a", "")

    assert [route.routing_key for route in channel.get_table("celery")] == ["b"]


def test_a_broadcast_reaches_every_bound_queue(connection):
    channel = open_channel(connection)
    channel._queue_bind("news", "", "", "one")
    channel._queue_bind("news", "", "", "two")

    channel._put_fanout("news", {"event": 1}, "")

    assert channel._get("one") == channel._get("two") == {"event": 1}


def test_a_name_cannot_leave_the_folder(connection):
    with pytest.raises(connection.channel_errors, match="Invalid exchange name"):
        open_channel(connection)._queue_bind("../outside", "", "", "runs")
