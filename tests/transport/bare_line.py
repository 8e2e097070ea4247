"""A connection without a socket: the test is the loop, and says what the upstream says, read by read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Self

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.ports import Timeouts
from satisfice.transport.connection import Connection
from satisfice.transport.exchange import Exchange
from satisfice.transport.watch import Watch

__all__ = ["BareLine", "Home", "TimerLoop", "Wire", "outcome"]


class Wire(asyncio.Transport):
    """What a connection does to its socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.is_paused = self.is_aborted = self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.written += b"".join(list_of_data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        self.is_closed = True


class TimerLoop(asyncio.SelectorEventLoop):
    """A loop whose timers ring when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[Callable[[], object]] = []
        self.delays: list[float] = []

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.delays.append(delay)
        self.due.append(callback)
        return asyncio.TimerHandle(delay, callback, args, self, context)

    def ring(self) -> int:
        """Ring what is due and say how many that were."""
        due, self.due = self.due, []
        for callback in due:
            callback()
        return len(due)


class Home:
    """Where the connection waits."""

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.all: list[Connection] = []

    def joined(self, connection: Connection) -> None:
        self.all.append(connection)

    def put(self, connection: Connection) -> None:
        self.idle.append(connection)

    def withdraw(self, connection: Connection) -> None:
        if connection in self.idle:
            self.idle.remove(connection)

    def left(self, connection: Connection) -> None:
        self.all.remove(connection)


class BareLine:
    """One connection with one exchange under way. Needs a running loop."""

    def __init__(self, *, timeouts: Timeouts | None = None, expires_at: float = float("inf")) -> None:
        self.clock = ManualClock(now=0.0)
        self.loop = asyncio.get_running_loop()
        self.watch = Watch(self.loop, self.clock)
        self.home = Home()
        self.wire = Wire()
        self.connection = Connection(self.home, self.watch)
        self.connection.connection_made(self.wire)
        self._timeouts = timeouts or Timeouts()
        self._expires_at = expires_at
        self.exchange = self.ask()

    def ask(self, body: bytes = b"") -> Exchange:
        """Send a request over the line, which has to be free."""
        self.home.withdraw(self.connection)
        self.exchange = Exchange(self.connection, self.loop)
        self.exchange.start(self._timeouts, now=self.clock.now(), expires_at=self._expires_at)
        self.connection.send(self.exchange, b"GET / HTTP/1.1\r\n\r\n", body=body)
        return self.exchange

    def say(self, *pieces: bytes) -> Self:
        """The upstream says this, one read for each piece, as long as anybody listens."""
        for piece in pieces:
            if not self.wire.is_aborted and not self.wire.is_closed:
                assert not self.wire.is_paused
                self.connection.data_received(piece)
        return self

    def hang_up(self, error: Exception | None = None) -> Self:
        """The upstream closes the connection, or it breaks."""
        if error is None:
            self.connection.eof_received()
        self.connection.connection_lost(error)
        self.watch.stop()
        return self


async def outcome(*pieces: bytes, limit: int = 1 << 24) -> tuple[int, bytes] | Break:
    """What becomes of an upstream that says this and hangs up: status and body, or how it broke."""
    line = BareLine().say(*pieces).hang_up()
    try:
        line.exchange.is_headed()
        return line.exchange.status, await line.exchange.read(limit)
    except Broken as broken:
        return broken.kind
