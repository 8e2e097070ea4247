"""The connection of a caller: uvicorn's, with a limit on heads, and head and body in one write."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAX_HEAD", "CallerProtocol"]

MAX_HEAD: Final = 64 << 10
"""Bytes of request line and header fields together."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 41\r\nconnection: close\r\n\r\n"
    b"The header fields are larger than 64 KiB\n"
)
_HEAD: Final = b"HTTP/1.1 "
_CONTINUE: Final = b"HTTP/1.1 100 "


class CallerProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools.

    The parser would collect an endless head: over `MAX_HEAD` it is answered
    with 431. And uvicorn writes the head of a response by itself, a system
    call and a packet more than needed: here it waits for the body's first bytes.
    """

    _head: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A caller is here."""
        self._corked = _Corked(transport)
        super().connection_made(cast("asyncio.Transport", self._corked))

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what it has taken without completing the head."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The response is out, all of it."""
        self._corked.flush()
        super().on_response_complete()


class _Corked:
    """A transport that holds the head of a response back until more is written, or the response is over."""

    __slots__ = ("_held", "_transport", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._held = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()
