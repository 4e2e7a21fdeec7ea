"""Server-sent events, read as bytes arrive. Source: WHATWG HTML, "Interpreting an event stream"."""

from __future__ import annotations

import codecs
import re

# Not str.splitlines: it also breaks at U+2028 and other characters that JSON strings carry unescaped.
_LINE_END = re.compile(r"\r\n|\n|\r")


class EventDecoder:
    """Turns chunks of bytes, cut anywhere, into the data of whole events. Comments and other fields are dropped."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._rest = ""
        self._data: list[str] = []
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[str]:
        """Data of the events that ``chunk`` completes, in order."""
        text = self._decoder.decode(chunk)
        if not text:
            return []
        if self._after_cr and text[0] == "\n":
            text = text[1:]
        self._after_cr = text.endswith("\r")
        *lines, self._rest = _LINE_END.split(self._rest + text)
        return self._events(lines)

    def flush(self) -> list[str]:
        """The event left open at the end: the standard drops it, but providers forget the last blank line."""
        lines = [self._rest + self._decoder.decode(b"", final=True), ""]
        self._rest = ""
        return self._events(lines)

    def _events(self, lines: list[str]) -> list[str]:
        events = []
        for line in lines:
            if line:
                self._read_field(line)
            elif self._data:
                events.append("\n".join(self._data))
                self._data = []
        return events

    def _read_field(self, line: str) -> None:
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
