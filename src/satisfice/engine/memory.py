"""What calls have taught the gateway, in one place: it outlives a change of the configuration, and a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from satisfice.attempt.outcome import Outcome
from satisfice.catalog.lessons import Lessons
from satisfice.core.clock import Clock
from satisfice.engine.visit import Visit
from satisfice.health.book import Change, HealthBook
from satisfice.health.breaker import Limits, State
from satisfice.routing.charges import Charges
from satisfice.routing.conversation import Conversations
from satisfice.routing.forecast import Forecast

__all__ = ["Memory"]

_log: Final = logging.getLogger(__name__)


class Memory:
    """Health of offers, lengths of answers, true charges, caches, and what offers can't do."""

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Limits | None = None,
        special: Mapping[str, Limits] | None = None,
        lifetimes: Mapping[str, float] | None = None,
    ) -> None:
        """Nothing is known yet; `special` limits and `lifetimes` of caches, in seconds, are by provider."""
        self._clock = clock
        self.health = HealthBook(limits or Limits(), chance=clock.chance, special=special, on_change=self._on_change)
        self.forecast = Forecast()
        self.charges = Charges()
        self.conversations = Conversations(lifetimes=lifetimes or {})
        self.lessons = Lessons()
        self.has_new_lessons = False
        self._waiting: set[asyncio.Future[None]] = set()

    def judge(self, visit: Visit, outcome: Outcome, *, is_repeat: bool = False) -> None:
        """An attempt has failed: tell its breaker, and remember what it said of the offer's limits.

        `is_repeat`: the same call has failed there already.
        """
        if visit.failed(outcome, self.lessons, is_repeat=is_repeat):
            self.has_new_lessons = True

    async def changed(self, seconds: float) -> None:
        """Wait until an offer's state changes, but not longer than this."""
        news = asyncio.get_running_loop().create_future()
        self._waiting.add(news)
        try:
            await asyncio.wait([news], timeout=seconds)
        finally:
            self._waiting.discard(news)

    def _on_change(self, change: Change) -> None:
        for news in self._waiting:
            if not news.done():
                news.set_result(None)
        if change.to is State.OPEN:
            _log.warning("%s %s is left alone after: %s", change.scope, change.name, change.error)
        elif change.to is State.CLOSED:
            _log.info("%s %s is well again", change.scope, change.name)
