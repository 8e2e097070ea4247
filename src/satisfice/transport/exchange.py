"""One request and its answer: holds what has come until somebody wants it, and hands it on in the instant it comes.

It is told by its connection what comes (`begin`, `take`, `finish`, `fail`) and
by the watch what time it is (`check`); the client waits for its head (`news`,
`is_headed`), and to the user it is an `Answer`. It lets go of the connection at
the end of the body, so that an answer kept for longer is no business of the next
request's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from satisfice.core.errors import Break, Broken
from satisfice.transport.framing import fields

if TYPE_CHECKING:
    import asyncio

    from satisfice.ports import Headers, Sink, Timeouts

__all__ = ["GRACE", "HIGH_WATER", "SPARE", "YOUNG", "Exchange", "Line"]

HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait for a reader before the upstream has to wait too."""
SPARE: Final = 64 * 1024
"""Bytes that may still come after `close` for the connection to be worth keeping."""
YOUNG: Final = 10
"""Looks at the clock, ten a second, within which a kept connection that closes has closed before the request came."""
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
        "_deadline",
        "_expires_at",
        "_fault",
        "_fields",
        "_head",
        "_held",
        "_is_endless",
        "_is_flowing",
        "_is_paused",
        "_is_stirred",
        "_line",
        "_looks",
        "_loop",
        "_pieces",
        "_sink",
        "_spare",
        "_timeouts",
        "_waiter",
        "is_stale",
        "status",
    )

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        """To be started when it is sent over the line."""
        self._line: Line | None = line
        self._loop = loop
        self._pieces: list[bytes] = []
        self._held = 0
        self._sink: Sink | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._fault: Exception | None = None
        self._spare: int | None = None
        self._is_flowing = self._is_endless = self._is_stirred = self._is_paused = False
        self.status = 0
        self._head = b""
        self._fields: Headers | None = None
        self._looks = 0
        self.is_stale = False
        """Was it a kept connection, closed before it brought a byte?"""

    def start(self, timeouts: Timeouts, *, now: float, expires_at: float) -> None:
        """It is being sent."""
        # Not a part of `__init__`, where CPython 3.11 takes twice as long for arguments with names.
        self._timeouts = timeouts
        self._deadline: float | None = now + timeouts.first_byte
        self._expires_at = expires_at

    @property
    def is_young(self) -> bool:
        """May the upstream not have begun to work on it? What closes later has had the request, and may charge."""
        return self._looks < YOUNG

    @property
    def headers(self) -> Headers:
        """The fields of the head, split when asked for the first time."""
        if self._fields is None:
            self._fields = fields(self._head)
        return self._fields

    async def read(self, limit: int) -> bytes:
        """The whole body, or `Broken(TOO_LARGE)` if it is over so many bytes."""
        if self._line is None and self._fault is None and len(self._pieces) == 1 and self._held <= limit:
            return self._pieces.pop()  # whole and in one piece, as most answers that aren't streams
        pieces: list[bytes] = []
        size = 0
        while piece := await self.chunk():
            size += len(piece)
            if size > limit:
                self.abort()
                raise Broken(Break.TOO_LARGE, f"a body over {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def chunk(self) -> bytes:
        """What has come since the last call, or the next piece; empty at the end of the body."""
        pieces = self._pieces
        if not pieces:
            await self.news()
            if not pieces:
                self._check_whole()
                return b""
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._empty()
        return piece

    async def pump(self, sink: Sink) -> bool:
        """Call the sink with each piece in the instant it comes, until it returns false or the body ends."""
        if self._pieces and not self._is_handed_on(sink):
            return True
        self._sink = sink
        try:
            has_stopped = await self.news()
        finally:
            self._sink = None
        if not has_stopped:
            self._check_whole()
        return has_stopped

    def flow(self, *, is_endless: bool = False) -> None:
        """The first output is here: from now on the idle timeout counts; `is_endless`: and no end while it goes on."""
        self._is_flowing = self._is_stirred = True
        self._is_endless = is_endless

    def close(self) -> None:
        """Nothing more is wanted: keep the connection if the body's end is here or at hand, else drop it."""
        self._pieces.clear()
        if self._line is not None and self._spare is None:
            self._spare = SPARE
            self._is_flowing = False
            self._deadline = None
        self._empty()

    def abort(self) -> None:
        """Drop the connection at once, so that the upstream stops working."""
        line = self._line
        if line is not None:
            line.drop()
            self.fail(Broken(Break.CUT, "given up"))
        self._pieces.clear()

    async def news(self) -> bool:
        """Wait for the head, a piece, the end or a fault; true when it was the sink refusing more."""
        if self._line is None:
            return False
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None

    def is_headed(self) -> bool:
        """True when the head is here, false when the connection was stale, `Broken` else."""
        if self.status:
            return True
        if not self.is_stale:
            self._check_whole()
        return False

    def begin(self, status: int, head: bytes) -> None:
        """The head is here."""
        self.status = status
        self._head = head
        self._wake()

    def take(self, piece: bytes) -> None:
        """A piece of the body is here."""
        self._is_stirred = True
        sink = self._sink
        if sink is not None:
            try:
                if sink(piece):
                    return
            except Exception as fault:  # for whom pumps: the loop that called us could only log it
                self.abort()
                self._fault = fault
                return
            self._sink = None
            self._wake(has_stopped=True)
        elif self._spare is None:
            self._pieces.append(piece)
            self._held += len(piece)
            if self._held > HIGH_WATER and not self._is_paused and self._line is not None:
                self._is_paused = True
                self._line.pause()
            self._wake()
        else:
            self._spare -= len(piece)
            if self._spare < 0:
                self.abort()

    def finish(self) -> None:
        """The body is whole."""
        self._resume()
        self._line = None
        self._wake()

    def fail(self, fault: Exception) -> None:
        """No more will come; what has come can still be read."""
        self._fault = fault
        self._line = None
        self._wake()

    def check(self, now: float) -> None:
        """Give up if the deadline of the present phase is over."""
        self._looks += 1
        if self._is_flowing:
            if self._is_stirred or self._is_paused:
                if self._is_stirred and self._is_endless:
                    self._expires_at = max(self._expires_at, now + self._timeouts.total)
                self._is_stirred = False
                self._deadline = now + self._timeouts.idle
        elif self._deadline is None:
            self._deadline = now + GRACE
        if now >= self._expires_at:
            self._expire(Break.TOTAL_TIMEOUT)
        elif self._deadline is not None and now >= self._deadline:
            self._expire(Break.IDLE_TIMEOUT if self._is_flowing else Break.FIRST_BYTE_TIMEOUT)

    def _is_handed_on(self, sink: Sink) -> bool:
        """Has the sink taken all that was waiting? A function of its own, lest `pump` hold on to the last piece."""
        pieces = self._pieces
        for count, piece in enumerate(pieces, 1):
            try:
                more = sink(piece)
            except BaseException:
                self.abort()
                raise
            if not more:
                del pieces[:count]
                self._held = sum(map(len, pieces))
                return False
        pieces.clear()
        self._empty()
        return True

    def _wake(self, *, has_stopped: bool = False) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(has_stopped)

    def _check_whole(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _empty(self) -> None:
        self._held = 0
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._is_stirred = True
            if self._line is not None:
                self._line.resume()

    def _expire(self, kind: Break) -> None:
        line = self._line
        if line is not None:
            line.drop()
            self.fail(Broken(kind))
