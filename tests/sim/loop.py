"""A loop on a manual clock without a single socket: simulations of hours pass in seconds.

Unlike the loop of the engine's tests it never asks the system whether a socket is ready, which a hundred thousand calls
would feel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TypeVar

from satisfice.core.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SimLoop", "simulate"]

_T = TypeVar("_T")


class SimLoop(asyncio.BaseEventLoop):
    """Python's own loop; whenever there is nothing to do, its `clock` jumps to when there is."""

    def __init__(self, clock: ManualClock) -> None:
        """Stand still until it is run."""
        super().__init__()
        self.clock = clock
        self._selector = _NoSockets(clock)

    def time(self) -> float:
        """The clock's."""
        return self.clock.now()

    def _process_events(self, event_list: object) -> None:
        """There are none."""


class _NoSockets:
    """What the loop waits with."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if timeout > 0.0:
            self._clock.advance(timeout)
        return ()


def simulate(clock: ManualClock, play: Callable[[], Coroutine[object, object, _T]]) -> _T:
    """Run it to its end, by this clock."""
    with asyncio.Runner(loop_factory=lambda: SimLoop(clock)) as runner:
        return runner.run(play())
