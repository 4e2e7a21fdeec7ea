from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panels.fusion.clients.sse import EventDecoder


def decode(*chunks: bytes) -> list[str]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.flush()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_end_at_a_blank_line_whatever_the_line_ends_are(end):
    assert decode(f"data: one{end}{end}data: two{end}{end}".encode()) == ["one", "two"]


def test_data_lines_of_one_event_are_joined():
    assert decode(b"data: {\ndata:  1}\n\n") == ["{\n 1}"]


def test_comments_names_and_ids_are_dropped():
    assert decode(b": OPENROUTER PROCESSING\n\nevent: chunk\nid: 7\nretry: 10\ndata:x\n\n") == ["x"]


def test_comments_alone_are_no_event():
    assert decode(b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n") == []


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    assert decode(b"\xef\xbb\xbfdata: x\n\n") == ["x"]


def test_line_separators_of_unicode_end_no_line():
    assert decode("data: a\u2028b\x85c\n\n".encode()) == ["a\u2028b\x85c"]


def test_an_event_without_its_blank_line_comes_with_the_flush():
    decoder = EventDecoder()
    assert decoder.feed(b"data: [DONE]") == []
    assert decoder.flush() == ["[DONE]"]
    assert decoder.flush() == []


def test_bytes_that_are_no_utf8_become_replacement_characters():
    assert decode(b"data: \xff\n\n") == ["�"]


def test_an_event_comes_as_soon_as_its_carriage_return_does():
    decoder = EventDecoder()
    assert decoder.feed(b"data: x\r\n\r") == ["x"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: y\r\n\r\n") == ["y"]


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=12), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_chunks_may_be_cut_anywhere(cuts, end):
    stream = end.join(["data: né €", "data: 😀", "", ": note", "", "data: zwei", "", ""]).encode()
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[start:stop] for start, stop in itertools.pairwise(edges)]
    assert decode(*chunks) == ["né €\n😀", "zwei"]
