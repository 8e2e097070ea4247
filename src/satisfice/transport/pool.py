"""The connections to one upstream: those that wait for work, and all there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from satisfice.transport.connection import Connection

__all__ = ["MAX_IDLE", "REST", "Pool"]

MAX_IDLE: Final = 128
"""Connections that may wait."""
REST: Final = 30.0
"""Seconds between two sweeps. Who waits through all of them is closed: after 30 to 60 seconds, as servers do."""


class Pool:
    """The latest used is the next to be used, so that those not needed grow old and are closed."""

    __slots__ = ("_all", "_emptied", "_idle", "_is_retired", "_loop", "_sweeper")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """No connection yet."""
        self._loop = loop
        self._all: set[Connection] = set()
        self._idle: list[Connection] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._is_retired = False

    @property
    def is_done(self) -> bool:
        """Is it retired, and has its last connection done its work?"""
        return self._is_retired and not self._all

    def take(self) -> Connection | None:
        """One that stands, as far as we know."""
        return self._idle.pop() if self._idle else None

    def put(self, connection: Connection) -> None:
        """It is free: it waits for the next request, if there is room."""
        if self._is_retired or len(self._idle) >= MAX_IDLE:
            connection.close()
            return
        connection.has_rested = False
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(REST, self._ring)

    def withdraw(self, connection: Connection) -> None:
        """It is no good for another request."""
        if connection in self._idle:
            self._idle.remove(connection)

    def joined(self, connection: Connection) -> None:
        """It has been made."""
        self._all.add(connection)

    def left(self, connection: Connection) -> None:
        """It is closed."""
        self._all.discard(connection)
        if self._emptied is not None and not self._all and not self._emptied.done():
            self._emptied.set_result(None)

    def sweep(self) -> None:
        """Close what has waited since the last sweep."""
        rested = [connection for connection in self._idle if connection.has_rested]
        self._idle = [connection for connection in self._idle if not connection.has_rested]
        for connection in rested:
            connection.close()
        for connection in self._idle:
            connection.has_rested = True

    def retire(self) -> None:
        """Close what waits, and in future what becomes free."""
        self._is_retired = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().close()

    async def aclose(self) -> None:
        """Close them all, whatever they are doing, and wait until they are."""
        self.retire()
        for connection in tuple(self._all):
            connection.cut()
        if self._all:
            self._emptied = self._loop.create_future()
            await self._emptied

    def _ring(self) -> None:
        self.sweep()
        self._sweeper = self._loop.call_later(REST, self._ring) if self._idle else None
