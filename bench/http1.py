"""Where an HTTP/1.1 message ends, in one pass: all that the load and the mock upstream must know of HTTP."""

from __future__ import annotations

import re

__all__ = ["message_end"]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


def message_end(data: bytes) -> int:
    """The length of the first whole message in `data`, or 0 while it is incomplete (RFC 9112, section 6.3).

    A chunked body is searched for its last chunk, not walked: exact for the bodies sent here, JSON and server-sent
    events, which hold no CR. A message without either header has no body.
    """
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0
    if length := _LENGTH.search(data, 0, head):
        end = head + 4 + int(length[1])
        return end if end <= len(data) else 0
    if b"transfer-encoding: chunked" in data[:head].lower():
        # An empty body's last chunk shares its first CRLF with the head's last.
        last = data.find(_LAST_CHUNK, head + 2)
        return last + len(_LAST_CHUNK) if last >= 0 else 0
    return head + 4
