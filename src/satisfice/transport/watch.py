"""One coarse timer for all the exchanges under way, in place of a timer for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from satisfice.core.clock import Clock
    from satisfice.transport.exchange import Exchange

__all__ = ["TICK", "Watch"]

TICK: Final = 0.1
"""Seconds between two looks at the clock: how late a timeout may be."""


class Watch:
    """Tells every exchange under way what time it is; sleeps when there is none."""

    __slots__ = ("_clock", "_loop", "_timer", "_under_way")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        """Nothing is under way yet."""
        self._loop = loop
        self._clock = clock
        self._under_way: set[Exchange] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, exchange: Exchange) -> None:
        """It is under way."""
        self._under_way.add(exchange)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._ring)

    def discard(self, exchange: Exchange) -> None:
        """It is over."""
        self._under_way.discard(exchange)

    def tick(self) -> None:
        """Look at the clock once, on behalf of all."""
        now = self._clock.now()
        for exchange in tuple(self._under_way):
            exchange.check(now)

    def stop(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self.tick()
        self._timer = self._loop.call_later(TICK, self._ring) if self._under_way else None
