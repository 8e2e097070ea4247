"""One request and its answer: holds what has come until somebody wants it, and hands it on in the instant it comes.

It is told by its connection what comes (`begin`, `take`, `finish`, `fail`) and
by the watch what time it is (`check`); to its user it is an `Answer`. It lets go
of the connection at the end of the body, so that an answer kept for longer is
no business of the next request's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from satisfice.core.errors import Break, Broken

if TYPE_CHECKING:
    import asyncio

    from satisfice.ports import Headers, Sink, Timeouts

__all__ = ["GRACE", "HIGH_WATER", "SPARE", "Exchange", "Line"]

HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait for a reader before the upstream has to wait too."""
SPARE: Final = 64 * 1024
"""Bytes that may still come after `close` for the connection to be worth keeping."""
GRACE: Final = 1.0
"""Seconds they may take."""


class Line(Protocol):
    """What an exchange asks of the connection below it."""

    def pause(self) -> None:
        """Read no more until `resume`."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def drop(self) -> None:
        """Close at once; nothing is told to the exchange any more."""
        ...


class Exchange:
    """Fills the port `Answer`."""

    __slots__ = (
        "_broken",
        "_deadline",
        "_expires_at",
        "_fault",
        "_flowing",
        "_held",
        "_idle",
        "_line",
        "_loop",
        "_paused",
        "_pieces",
        "_sink",
        "_spare",
        "_stirred",
        "_waiter",
        "ended",
        "headers",
        "stale",
        "status",
    )

    def __init__(
        self, line: Line, loop: asyncio.AbstractEventLoop, *, timeouts: Timeouts, now: float, expires_at: float
    ) -> None:
        """About to be sent over the line at the given instant."""
        self._line: Line | None = line
        self._loop = loop
        self._idle = timeouts.idle
        self._deadline: float | None = now + timeouts.first_byte
        self._expires_at = expires_at
        self._pieces: list[bytes] = []
        self._held = 0
        self._sink: Sink | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._broken: Broken | None = None
        self._fault: Exception | None = None
        self._spare: int | None = None
        self._flowing = self._stirred = self._paused = False
        self.status = 0
        self.headers: Headers = ()
        self.ended = False
        """Is the end of the body here (though perhaps not yet read)?"""
        self.stale = False
        """Was the connection, a kept one, already closed, so that the upstream never saw the request?"""

    # What the user calls.

    async def read(self, limit: int) -> bytes:
        """The whole body, or `Broken(TOO_LARGE)` if it is over so many bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.chunk():
            size += len(piece)
            if size > limit:
                self.abort()
                raise Broken(Break.TOO_LARGE, f"a body over {limit} bytes")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def chunk(self) -> bytes:
        """What has come since the last call, or the next piece; empty at the end of the body."""
        pieces = self._pieces
        if not pieces:
            if self.ended:
                return b""
            await self._wait()
            if not pieces:
                return self._over()
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._drained()
        return piece

    async def pump(self, sink: Sink) -> bool:
        """Call the sink with each piece in the instant it comes, until it returns false or the body ends."""
        pieces = self._pieces
        while pieces:
            piece = pieces.pop(0)
            self._held -= len(piece)
            try:
                more = sink(piece)
            except BaseException:
                self.abort()
                raise
            if not more:
                return True
        self._drained()
        if self.ended:
            return False
        self._sink = sink
        try:
            has_stopped = await self._wait()
        finally:
            self._sink = None
        if self._fault is not None:
            raise self._fault
        if not has_stopped:
            self._over()
        return has_stopped

    def flow(self) -> None:
        """The first output is here: from now on the idle timeout counts."""
        self._flowing = self._stirred = True

    def close(self) -> None:
        """Nothing more is wanted: keep the connection if the body's end is here or at hand, else drop it."""
        self._pieces.clear()
        if self._line is not None and self._spare is None:
            self._spare = SPARE
            self._flowing = False
            self._deadline = None
            self._drained()

    def abort(self) -> None:
        """Drop the connection at once, so that the upstream stops working."""
        line = self._line
        if line is not None:
            self.fail(Broken(Break.CUT, "given up"))
            self._pieces.clear()
            line.drop()

    async def headed(self) -> bool:
        """Wait for the head: true when it is here, false when the connection was stale, `Broken` else."""
        if not self.status and self._broken is None:
            await self._wait()
        if self.status:
            return True
        if self.stale:
            return False
        self._over()
        return False

    # What the connection and the watch call.

    def begin(self, status: int, headers: Headers) -> None:
        """The head is here."""
        self.status = status
        self.headers = headers
        self._wake()

    def take(self, piece: bytes) -> None:
        """A piece of the body is here."""
        self._stirred = True
        sink = self._sink
        if sink is not None:
            try:
                if sink(piece):
                    return
            except Exception as fault:  # it belongs to whom pumps, not to the event loop that calls us
                self._fault = fault
                self.abort()
            self._sink = None
            self._wake(has_stopped=True)
        elif self._spare is None:
            self._pieces.append(piece)
            self._held += len(piece)
            if self._held > HIGH_WATER and not self._paused and self._line is not None:
                self._paused = True
                self._line.pause()
            self._wake()
        else:
            self._spare -= len(piece)
            if self._spare < 0:
                self.abort()

    def finish(self) -> None:
        """The body is whole."""
        self.ended = True
        self._drained()
        self._line = None
        self._wake()

    def fail(self, broken: Broken) -> None:
        """No more will come; what has come can still be read."""
        self._broken = broken
        self._line = None
        self._wake()

    def check(self, now: float) -> None:
        """Give up if the deadline of the present phase is over."""
        if self._flowing:
            if self._stirred or self._paused:
                self._stirred = False
                self._deadline = now + self._idle
        elif self._deadline is None:
            self._deadline = now + GRACE
        if self._deadline is not None and now >= min(self._deadline, self._expires_at):
            self._expire(now)

    def _expire(self, now: float) -> None:
        line = self._line
        if line is None:
            return
        if now >= self._expires_at:
            kind = Break.TOTAL_TIMEOUT
        else:
            kind = Break.IDLE_TIMEOUT if self._flowing else Break.FIRST_BYTE_TIMEOUT
        self.fail(Broken(kind))
        line.drop()

    async def _wait(self) -> bool:
        """Until something is new: true when the sink has refused more."""
        if self._broken is not None:
            return False
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def _wake(self, *, has_stopped: bool = False) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(has_stopped)

    def _over(self) -> bytes:
        if self._broken is not None:
            raise self._broken
        return b""

    def _drained(self) -> None:
        self._held = 0
        if self._paused:
            self._paused = False
            self._stirred = True
            if self._line is not None:
                self._line.resume()
