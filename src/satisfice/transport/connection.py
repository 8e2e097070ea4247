"""One connection to an upstream: bytes in, the parts of an answer out, one exchange after the other.

A read costs a call of the parser, which appends the pieces of the body to a list
without a line of Python in between, and one call of the exchange.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from satisfice.core.errors import Break, Broken
from satisfice.transport.framing import Framing, check_interim, framing

if TYPE_CHECKING:
    from satisfice.ports import Headers
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
        "_ended",
        "_exchange",
        "_feed",
        "_framing",
        "_headers",
        "_home",
        "_keep",
        "_parser",
        "_pieces",
        "_seen",
        "_transport",
        "_used",
        "_watch",
        "on_body",
        "rested",
    )

    def __init__(self, home: Home, watch: Watch) -> None:
        """Not connected yet."""
        self._home = home
        self._watch = watch
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing = Framing.NONE
        self._seen = self._barren = 0
        self._ended = self._keep = self._used = False
        self.rested = False
        """Has it waited since the pool's last sweep?"""
        self.on_body = self._pieces.append
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._feed = self._parser.feed_data

    # What the client and the pool call.

    def send(self, exchange: Exchange, head: bytes, *, body: bytes) -> None:
        """Send a request; the exchange hears of its answer."""
        self._exchange = exchange
        self._seen = 0
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
            self._transport = None

    def cut(self) -> None:
        """Close at once, whatever is under way."""
        self._fail(Broken(Break.CUT, "the gateway is stopping"))

    # What the exchange calls.

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

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._home.joined(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        exchange = self._exchange
        if exchange is None:
            self.drop()  # nobody asked: what would it be the answer to?
        elif exchange.status:
            self._read(data)
        else:
            self._read_head(data)

    def eof_received(self) -> None:
        """No more bytes will come."""
        self._gone(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._gone(exc)
        self._home.left(self)
        # The parser holds our methods and we hold the parser: a cycle that would wait for the collector.
        self._parser = None
        del self._feed, self.on_body

    # What the parser calls, within `_feed`; what is raised here stops it.

    def on_message_begin(self) -> None:
        """The first byte of an answer."""
        if self._ended:
            raise Broken(Break.MALFORMED, "more than the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailer."""
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """The end of a head."""
        parser = self._parser
        exchange = self._exchange
        if parser is None or exchange is None:
            return
        status = parser.get_status_code()
        headers: Headers = self._headers
        if 100 <= status <= 199:
            check_interim(status, headers)
            return
        self._framing = framing(status, headers, parser.get_http_version())
        self._headers = []
        exchange.begin(status, headers)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._headers:
            self._headers = []  # of an interim answer, or a trailer
        if self._exchange is not None and self._exchange.status:
            self._ended = True
            self._keep = self._parser is not None and self._parser.should_keep_alive()

    # Below, in order of use.

    def _read_head(self, data: bytes) -> None:
        room = MAX_HEAD - self._seen
        self._seen += len(data)
        if self._seen <= MAX_HEAD:
            self._read(data)
            return
        self._read(data[:room])
        exchange = self._exchange
        if exchange is None:
            self.drop()
        elif exchange.status:
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
        elif exchange is not None and exchange.status:
            self._barren += len(data)
        if self._ended or fault is not None or self._barren > MAX_HEAD:
            self._turn(fault)

    def _turn(self, fault: Exception | None) -> None:
        exchange = self._exchange
        if exchange is None:  # its user has given it up
            return
        if not self._ended:
            self._fail(_why(fault) if fault is not None else Broken(Break.TOO_LARGE, "a body of nothing but framing"))
            return
        self._ended = False
        self._barren = 0
        self._exchange = None
        self._watch.discard(exchange)
        exchange.finish()
        transport = self._transport
        # A request that was answered before it was sent whole would go on in the place of the next one.
        if fault is None and self._keep and transport is not None and not transport.get_write_buffer_size():
            self._used = True
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
        if error is None and exchange.status and self._framing is Framing.CLOSE:
            exchange.finish()
            return
        exchange.stale = self._used and not self._seen
        exchange.fail(Broken(Break.CUT, str(error or "")))


def _why(error: Exception) -> Broken:
    cause = error.__context__
    if isinstance(cause, Broken):
        return cause
    return Broken(Break.MALFORMED, str(error)[:_MAX_DETAIL])
