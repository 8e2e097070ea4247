"""One connection to an upstream: bytes in, the parts of an answer out, one exchange after the other.

A read costs a call of the parser, which appends the pieces of the body to a list
without a line of Python in between, and one call of the exchange. The client and
the pool use `send`, `close` and `cut`, the exchange `pause`, `resume` and `drop`;
the rest is for the loop and the parser, which stops at what its callbacks raise.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from satisfice.core.errors import Break, Broken
from satisfice.transport.framing import check_interim, ends_with_connection

if TYPE_CHECKING:
    from satisfice.transport.exchange import Exchange
    from satisfice.transport.watch import Watch

__all__ = ["MAX_HEAD", "Connection", "Home"]

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head, those of interim answers before it included; also of what may come in a body without being of it."""
_MAX_JOINED: Final = 64 * 1024
_MAX_DETAIL: Final = 200


class Home(Protocol):
    """Where a connection waits between two exchanges."""

    def joined(self, connection: Connection) -> None:
        """It stands."""
        ...

    def put(self, connection: Connection) -> None:
        """It is free."""
        ...

    def withdraw(self, connection: Connection) -> None:
        """It is no good for another exchange."""
        ...

    def left(self, connection: Connection) -> None:
        """It is closed."""
        ...


class Connection(asyncio.Protocol):
    """Is the parser's and the loop's protocol, and the `Line` of its exchange."""

    __slots__ = (
        "_barren",
        "_exchange",
        "_feed",
        "_home",
        "_is_ended",
        "_is_headed",
        "_is_kept",
        "_is_used",
        "_parser",
        "_pieces",
        "_raw",
        "_start",
        "_transport",
        "_until_close",
        "_watch",
        "has_rested",
        "on_body",
    )

    def __init__(self, home: Home, watch: Watch) -> None:
        """Not connected yet."""
        self._home = home
        self._watch = watch
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._raw = b""
        self._start = self._barren = 0
        self._is_headed = self._is_ended = self._is_kept = self._is_used = self._until_close = False
        self.has_rested = False
        """Has it waited since the pool's last sweep?"""
        self.on_body = self._pieces.append
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def send(self, exchange: Exchange, head: bytes, *, body: bytes) -> None:
        """Send a request; the exchange hears of its answer."""
        self._exchange = exchange
        self._is_headed = False
        self._raw = b""
        self._start = self._barren = 0
        transport = self._transport
        if transport is None:
            self._gone(None)
            return
        self._watch.add(exchange)
        if len(body) <= _MAX_JOINED:
            transport.write(head + body if body else head)
        else:
            transport.writelines((head, body))

    def close(self) -> None:
        """Say good-bye: nothing is under way."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Close at once, whatever is under way."""
        self._fail(Broken(Break.CUT, "the gateway is stopping"))

    def pause(self) -> None:
        """Read no more until `resume`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once; nothing is told to the exchange any more."""
        if self._exchange is not None:
            self._watch.discard(self._exchange)
            self._exchange = None
        self._home.withdraw(self)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._home.joined(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._exchange is None:
            self.drop()  # nobody asked: what would it be the answer to?
        elif self._is_headed:
            self._read(data)
        else:
            self._read_head(data)

    def eof_received(self) -> None:
        """No more bytes will come."""
        self._gone(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._transport = None  # before CPython 3.11.5, to abort what is closed is an error under its own TLS
        self._gone(exc)
        self._home.left(self)
        # The parser holds our methods and we hold the parser: a cycle that would wait for the collector.
        del self._parser, self._feed, self.on_body

    def on_message_begin(self) -> None:
        """The first byte of an answer."""
        if self._is_ended:
            raise Broken(Break.MALFORMED, "more than the answer")

    def on_headers_complete(self) -> None:
        """The end of a head."""
        # llhttp lets no other line end pass, so this is the end that it has found.
        end = self._raw.find(b"\r\n\r\n", self._start) + 2
        head = self._raw[self._start : end]
        status = self._parser.get_status_code()
        if 100 <= status <= 199:
            check_interim(status, head)
            self._start = end + 2
            return
        self._is_kept = self._parser.should_keep_alive()
        self._until_close = ends_with_connection(status, head, is_delimited=self._is_kept)
        self._is_headed = True
        self._raw = head
        if self._exchange is not None:
            self._exchange.begin(status, head)

    def on_message_complete(self) -> None:
        """The end of an answer, which may be an interim one."""
        self._is_ended = self._is_headed

    def _read_head(self, data: bytes) -> None:
        room = MAX_HEAD - len(self._raw)
        if len(data) <= room:
            self._raw += data
            self._read(data)
            return
        self._raw += data[:room]
        self._read(data[:room])
        if self._exchange is None:
            self.drop()  # it was a whole answer, and there is more
        elif self._is_headed:
            self._read(data[room:])
        else:
            self._fail(Broken(Break.TOO_LARGE, f"a head over {MAX_HEAD} bytes"))

    def _read(self, data: bytes) -> None:
        fault: Exception | None = None
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            fault = error
        pieces = self._pieces
        exchange = self._exchange
        if pieces:
            self._barren = 0
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if exchange is not None:
                exchange.take(piece)
        elif self._is_headed:
            self._barren += len(data)
        if self._is_ended or fault is not None or self._barren > MAX_HEAD:
            self._turn(fault)

    def _turn(self, fault: Exception | None) -> None:
        """The exchange is over, one way or another."""
        exchange = self._exchange
        if exchange is None:  # its user has given it up meanwhile
            return
        if not self._is_ended:
            self._fail(_why(fault) if fault is not None else Broken(Break.TOO_LARGE, "a body of nothing but framing"))
            return
        self._is_ended = False
        self._exchange = None
        self._watch.discard(exchange)
        exchange.finish()
        if self._transport is not None and self._transport.get_write_buffer_size():
            self.drop()  # answered before the request was sent whole, which would go on where the next one has to stand
        elif self._is_kept and fault is None:
            self._is_used = True
            self._home.put(self)
        else:
            self.close()

    def _fail(self, broken: Broken) -> None:
        exchange = self._exchange
        self.drop()
        if exchange is not None:
            exchange.fail(broken)

    def _gone(self, error: Exception | None) -> None:
        exchange = self._exchange
        self.drop()
        if exchange is None:
            return
        if error is None and self._is_headed and self._until_close:
            exchange.finish()
            return
        exchange.is_stale = self._is_used and not self._raw and exchange.is_young
        exchange.fail(Broken(Break.CUT, str(error or "")))


def _why(error: Exception) -> Broken:
    cause = error.__context__
    if isinstance(cause, Broken):
        return cause
    return Broken(Break.MALFORMED, str(error)[:_MAX_DETAIL])
