"""Keeps what calls have taught in a file: it is read at the start, and saved once a minute while there is news.

It is worth keeping, but not worth a call: what fails here is told, and the
gateway goes on without. Where two processes keep the same file, the last one
to save it wins; it is always one of the two, whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from satisfice.catalog.offers import Offer
from satisfice.engine.memory import Memory, Unreadable
from satisfice.storage.snapshot import load, save

__all__ = ["Keeper"]

_log: Final = logging.getLogger(__name__)
_PERIOD: Final = 60.0


class Keeper:
    """Keeps a memory."""

    def __init__(self, memory: Memory, path: Path | None) -> None:
        """`path`: None: nowhere."""
        self.memory = memory
        """May be replaced by one that knows as much."""
        self._path = path
        # A thread of its own, since disks may be slow; only one, so that no save is overtaken by an older one.
        self._writer = ThreadPoolExecutor(1, "keeper")
        self._news = 0
        self._saved = 0
        self._is_failing = False

    def recall(self, offers: Iterable[Offer]) -> None:
        """Let the memory know what was saved last, if it can be read; `offers` are what can be bought now."""
        if self._path is None:
            return
        try:
            data = load(self._path)
            if data is not None:
                self.memory.restore(data, offers)
        except (OSError, Unreadable) as error:
            _log.warning("what was learnt before is lost; %s: %s", self._path, _reason(error))

    def note(self) -> None:
        """There is news."""
        self._news += 1

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            await self.save()

    async def save(self) -> None:
        """Save if there is news. A disk that fails is told of once, until it works again."""
        news = self._news
        if self._path is None or news == self._saved:
            return
        data = self.memory.to_bytes()
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, save, self._path, data)
        except OSError as error:
            if not self._is_failing:
                _log.warning("what is learnt can't be kept in %s: %s", self._path, _reason(error))
            self._is_failing = True
        else:
            self._saved = news
            self._is_failing = False


def _reason(error: OSError | Unreadable) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
