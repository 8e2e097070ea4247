"""Notices callers who leave: one coarse timer for all calls, and a task only for the calls that last."""

from __future__ import annotations

import asyncio
from typing import Final

from satisfice.engine.driver import Drive

__all__ = ["Sweep"]

_PERIOD: Final = 0.2


class Sweep:
    """Knows every open call; one that outlives two ticks is watched until it ends.

    A task per call would cost more than the rest of a short call; most end
    before their first tick.
    """

    __slots__ = ("_aged", "_fresh", "_timer", "_watched")

    def __init__(self) -> None:
        """No call is open."""
        self._fresh: set[Drive] = set()
        self._aged: set[Drive] = set()
        self._watched: dict[Drive, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._fresh) + len(self._aged) + len(self._watched)

    def enter(self, drive: Drive) -> None:
        """This call has begun."""
        self._fresh.add(drive)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._tick)

    def exit(self, drive: Drive) -> None:
        """This call is over."""
        self._fresh.discard(drive)
        self._aged.discard(drive)
        watch = self._watched.pop(drive, None)
        if watch is not None:
            watch.cancel()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        for drive in self._aged:
            self._watched[drive] = asyncio.create_task(_watch(drive))
        self._aged, self._fresh = self._fresh, set()
        self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._tick) if len(self) else None


async def _watch(drive: Drive) -> None:
    await drive.downstream.left()
    drive.leave()
