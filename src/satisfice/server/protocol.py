"""The connection of a caller: uvicorn's, with a limit on the size of heads, which it lacks."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["MAX_HEAD", "BoundedProtocol"]

MAX_HEAD: Final = 64 << 10
"""Bytes of request line and header fields together."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 42\r\nconnection: close\r\n\r\n"
    b"The header fields are larger than 64 KiB.\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 when a head is over `MAX_HEAD`; the parser below would collect it for ever."""

    _head: int | None = None

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
