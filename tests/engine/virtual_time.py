"""A loop on a manual clock: whenever there is nothing to do, its time jumps to when there is.

What waits an hour is tested in no time, and in the order in which it would
happen. Sockets work as far as they are ready at once, which a pair of them in
one process is.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

from satisfice.core.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from selectors import SelectorKey

__all__ = ["VirtualLoop"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """Python's own loop; `asyncio.sleep`, timeouts and timers go by its `clock`."""

    def __init__(self) -> None:
        """Stand still until it is run."""
        self.clock = ManualClock()
        self._timers: list[asyncio.TimerHandle] = []
        super().__init__(_JumpingSelector(self.clock))

    def time(self) -> float:
        """The clock's."""
        return self.clock.now()

    @property
    def timers(self) -> int:
        """How many are set and not over."""
        return sum(not timer.cancelled() and timer.when() > self.time() + 1e-6 for timer in self._timers)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.append(timer)
        return timer


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self._clock.advance(timeout)
        return []
