"""Server-sent events: an incremental decoder and an encoder.

The format is the WHATWG's (https://html.spec.whatwg.org/multipage/server-sent-events.html);
besides its fields an event keeps the bytes it came as, so that it can be
handed on untouched.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from satisfice.core.errors import Break, Broken

__all__ = ["MAX_EVENT", "SSEDecoder", "ServerSentEvent", "encode"]

MAX_EVENT: Final = 32 << 20
"""Bytes that one event may have; a whole picture fits."""

# Line ends are CRLF, LF or CR; CRLF is one of them and never CR and LF. A CR that is the last byte of all doesn't count
# yet: the LF that belongs to it may be on its way.
_BLANK_LINE: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\Z))")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_END: Final = 4


class ServerSentEvent(NamedTuple):
    """One event, or a comment."""

    raw: bytes
    """As it came, with the blank line that ends it."""
    event: bytes
    """Its type; empty when none was given."""
    data: bytes | None
    """Its data lines joined by LF; None for a comment and for what has no data."""


class SSEDecoder:
    """Bytes in any pieces in, whole events out; the incomplete rest is kept."""

    __slots__ = ("_bom", "_rest")

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._rest = bytearray()
        self._bom = _BOM  # to be taken off the first event

    @property
    def is_empty(self) -> bool:
        """No part of an unfinished event is kept."""
        return not self._rest

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete; `Broken(TOO_LARGE)` if one grows over `MAX_EVENT`."""
        if self._rest:
            seen = max(0, len(self._rest) - _LONGEST_END)
            self._rest += data
            if not _BLANK_LINE.search(self._rest, seen):  # a large event in many small pieces stays linear
                self._check_size()
                return []
            data = bytes(self._rest)
            self._rest.clear()
        events = []
        start = 0
        for match in _BLANK_LINE.finditer(data):
            events.append(self._parse(data[start : match.end()]))
            start = match.end()
        self._rest += data[start:]
        self._check_size()
        return events

    def finish(self) -> ServerSentEvent | None:
        """The unfinished event as if its blank line had come, though its data may be cut; None if nothing is kept.

        A reader drops such an event. Whoever hands it on can complete it instead, if it is whole.
        """
        rest = bytes(self._rest).rstrip(b"\r\n")
        self._rest.clear()
        return self._parse(rest + b"\n\n") if rest else None

    def _parse(self, raw: bytes) -> ServerSentEvent:
        kind = b""
        data: list[bytes] = []
        for line in _LINE_END.split(raw.removeprefix(self._bom)):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                kind = value.removeprefix(b" ")
        self._bom = b""
        return ServerSentEvent(raw, kind, b"\n".join(data) if data else None)

    def _check_size(self) -> None:
        if len(self._rest) > MAX_EVENT:
            raise Broken(Break.TOO_LARGE, f"an event of more than {MAX_EVENT} bytes")


def encode(data: bytes, event: bytes = b"") -> bytes:
    """One event; data with line ends becomes several data lines."""
    head = b"event: %b\n" % event if event else b""
    return head + b"".join(b"data: %b\n" % line for line in _LINE_END.split(data)) + b"\n"
