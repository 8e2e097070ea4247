"""What calls have taught the gateway, in one place: it outlives a change of the configuration, and a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from satisfice.attempt.outcome import Outcome
from satisfice.catalog.lessons import Lesson, Lessons
from satisfice.catalog.offers import Offer
from satisfice.core.clock import Clock
from satisfice.engine.visit import Visit
from satisfice.health.book import Change, HealthBook
from satisfice.health.breaker import Limits, State
from satisfice.health.index import Snapshot
from satisfice.routing.caches import CachesSnapshot
from satisfice.routing.charges import Charges, ChargesSnapshot
from satisfice.routing.conversation import Conversations
from satisfice.routing.forecast import Forecast, ForecastSnapshot
from satisfice.wire.request import Ability

__all__ = ["Memory", "Unreadable"]

_log: Final = logging.getLogger(__name__)
_VERSION: Final = 1


class Unreadable(Exception):
    """What was kept can't be used; the message says why."""


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
        self._limits = limits or Limits()
        self._special = special or {}
        self.health = HealthBook(self._limits, chance=clock.chance, special=self._special, on_change=self._on_change)
        self.forecast = Forecast()
        self.charges = Charges()
        self.conversations = Conversations(lifetimes=lifetimes or {})
        self.lessons = Lessons()
        self.has_new_lessons = False
        self._waiting: set[asyncio.Future[None]] = set()

    def judge(
        self, visit: Visit, outcome: Outcome, *, needs: frozenset[Ability] = frozenset(), is_repeat: bool = False
    ) -> None:
        """An attempt has failed: tell its breaker, and remember what it said of the offer's limits.

        `needs` are those of the call: that an offer lacks what was not asked of it is no lesson. `is_repeat`: the same
        call has failed there already.
        """
        visit.failed(outcome, is_repeat=is_repeat)
        id_, lessons = visit.offer.id, self.lessons
        if outcome.learnt_context is not None and lessons.learn_context(id_, outcome.learnt_context):
            self.has_new_lessons = True
        lack = outcome.learnt_lack
        if lack is not None and lack in needs and lessons.learn_lack(id_, lack):
            self.has_new_lessons = True

    async def changed(self, seconds: float) -> None:
        """Wait until an offer's state changes, but not longer than this."""
        news = asyncio.get_running_loop().create_future()
        self._waiting.add(news)
        try:
            await asyncio.wait([news], timeout=seconds)
        finally:
            self._waiting.discard(news)

    def follow(self, former: Memory, offers: Iterable[Offer]) -> None:
        """Know what another memory knows, and judge by rules of its own; `offers` are what can be bought now.

        Calls that go on by the former one still teach this one, too, but of health and of lessons.
        """
        now, unix_ms = self._clock.now(), self._clock.unix_ms()
        self.health.restore(former.health.snapshot(now, unix_ms), now, unix_ms=unix_ms)
        self.lessons.restore(former.lessons.snapshot())
        self.has_new_lessons = True
        self.forecast = former.forecast
        self.charges = former.charges
        self.charges.requote(offers)
        lifetimes = self.conversations.caches.lifetimes
        self.conversations = former.conversations
        self.conversations.caches.lifetimes = lifetimes

    def to_bytes(self) -> bytes:
        """All of it but the conversations themselves, which are only recognised by the process that saw them."""
        return _encode(
            _Kept(
                version=_VERSION,
                health=self.health.snapshot(self._clock.now(), self._clock.unix_ms()),
                forecast=self.forecast.snapshot(),
                charges=self.charges.snapshot(),
                caches=self.conversations.caches.snapshot(),
                lessons=self.lessons.snapshot(),
            )
        )

    def restore(self, data: bytes, offers: Iterable[Offer]) -> None:
        """Know what `to_bytes` said; or `Unreadable`, and nothing has changed. `offers` are what can be bought now."""
        former = Memory(self._clock, limits=self._limits, special=self._special)
        try:
            former._take(_decode(data))
        except (ArithmeticError, RecursionError, ValueError, msgspec.MsgspecError) as error:
            raise Unreadable(f"it is damaged: {error}") from error
        self.follow(former, offers)

    def _take(self, kept: _Kept) -> None:
        self.health.restore(kept.health, self._clock.now(), unix_ms=self._clock.unix_ms())
        self.forecast.restore(kept.forecast)
        self.charges.restore(kept.charges)
        self.conversations.caches.restore(kept.caches)
        self.lessons.restore(kept.lessons)

    def _on_change(self, change: Change) -> None:
        for news in self._waiting:
            if not news.done():
                news.set_result(None)
        if change.to is State.OPEN:
            _log.warning("%s %s is left alone after: %s", change.scope, change.name, change.error)
        elif change.to is State.CLOSED:
            _log.info("%s %s is well again", change.scope, change.name)


class _Versioned(msgspec.Struct, frozen=True):
    version: int


class _Kept(_Versioned, frozen=True, kw_only=True):
    """A memory as it is kept over a restart."""

    health: Snapshot
    forecast: ForecastSnapshot
    charges: ChargesSnapshot
    caches: CachesSnapshot
    lessons: tuple[Lesson, ...]


_encode: Final = msgspec.json.Encoder().encode


def _decode(data: bytes) -> _Kept:
    version = msgspec.json.decode(data, type=_Versioned).version
    if version != _VERSION:
        raise Unreadable(f"it is of version {version}, and only version {_VERSION} is understood")
    return msgspec.json.decode(data, type=_Kept)
