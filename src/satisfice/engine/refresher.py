"""Polls offer sources and market feeds, merges what they say, swaps the catalog in one assignment.

What is known of a source stays when it fails, but not for ever: quotes expire,
and the prices of a list that could not be had again for an hour are no longer
believed. That a provider has nothing (its list is empty) is another thing than
that nobody has said what it has.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from satisfice.catalog.listing import Listing, Quote, Quotes, Refused, overlay, without_prices
from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import Clock
from satisfice.core.errors import Broken
from satisfice.ports import OfferSource, QuoteSource

__all__ = ["Refresher", "SourceState"]

_log: Final = logging.getLogger(__name__)
_PERIOD_AFTER_FAILURE: Final = 30.0
_PATIENCE: Final = 60.0
_TRUSTED_MS: Final = 3_600_000
_TICK: Final = 5.0


class SourceState(NamedTuple):
    """What is known of a source."""

    name: str
    is_feed: bool
    """A market feed, rather than the list of the provider of this name."""
    fetched_ms: int | None
    """When it answered last, in milliseconds since 1970."""
    found: int | None
    """Offers or quotes of that answer; 0: it has none; None: it never answered, so what it has is not known."""
    failure: str | None
    """Why it could not be asked last time; None: it answered, or hasn't been asked yet."""
    refused: Sequence[Refused]
    """What of the last answer is not taken, or not as it is said there."""
    undated: int
    """Quotes that say nothing of their age, and count as seen when the feed was sent."""
    is_stale: bool
    """The answer is so old that its prices are no longer used."""


class Refresher:
    """Keeps a catalog up to date."""

    def __init__(
        self,
        fixed: Sequence[Offer],
        sources: Sequence[OfferSource],
        *,
        feeds: Sequence[QuoteSource] = (),
        build: Callable[[Iterable[Offer]], Catalog],
        swap: Callable[[Catalog], None],
        clock: Clock,
    ) -> None:
        """Fixed offers, the sources and feeds to ask; what makes a catalog of offers, and who takes the new one.

        `build` gets listed offers first and fixed ones after them, so that of two with the same id the fixed one can
        count.
        """
        self._fixed = fixed
        self._offers: tuple[Offer, ...] = tuple(fixed)
        self._expires_ms: float = math.inf
        self._lists = [_Watch(source) for source in sources]
        self._feeds = [_Watch(feed) for feed in feeds]
        self._build = build
        self._swap = swap
        self._clock = clock
        self._looking: list[asyncio.Task[None]] = []
        self.has_looked = asyncio.Event()
        """Every provider has been asked once."""
        self.on_refreshed: Callable[[], None] | None = None
        """Told whenever a source or feed has answered or failed; by then the catalog is swapped."""

    @property
    def found(self) -> Mapping[str, Listing]:
        """What each provider's list said last, by the provider's name; a name that isn't there is not known."""
        return {watch.source.name: watch.said for watch in self._lists if watch.said is not None}

    @property
    def failures(self) -> Mapping[str, str]:
        """What the providers whose lists could not be had last time said, by their names."""
        return {watch.source.name: watch.failure for watch in self._lists if watch.failure is not None}

    def state(self) -> tuple[SourceState, ...]:
        """Each source and then each feed, as it is now."""
        now = self._clock.unix_ms()
        return (
            *(_state_of_list(watch, now) for watch in self._lists),
            *(_state_of_feed(watch, now) for watch in self._feeds),
        )

    async def run(self) -> None:
        """Look until `stop`, at each source in its own time; sooner at one that was missing, which may be starting."""
        self._note_looks()
        async with asyncio.TaskGroup() as group:
            looks = [*map(self._keep, self._lists), *map(self._keep, self._feeds)]
            if self._feeds:
                looks.append(self._expire())
            self._looking = [group.create_task(look) for look in looks]

    def stop(self) -> None:
        """Look no more; what is known stays."""
        for look in self._looking:
            look.cancel()

    async def refresh(self) -> None:
        """Ask everybody once, all at the same time; each answer counts as soon as it is here."""
        async with asyncio.TaskGroup() as group:
            for source in self._lists:
                group.create_task(self._ask(source))
            for feed in self._feeds:
                group.create_task(self._ask(feed))

    async def _keep(self, watch: _Watch[_T]) -> None:
        while True:
            await self._ask(watch)
            period = watch.source.period
            await asyncio.sleep(period if watch.failure is None else min(period, _PERIOD_AFTER_FAILURE))

    async def _expire(self) -> None:
        """Quotes grow too old between two looks as well."""
        while True:
            await asyncio.sleep(_TICK)
            if self._clock.unix_ms() >= self._expires_ms:
                self._renew()

    async def _ask(self, watch: _Watch[_T]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                watch.said = await watch.source.fetch()
        except Broken as news:
            watch.failure = str(news)
        except TimeoutError:
            watch.failure = f"no answer within {_PATIENCE:.0f} s"
        except Exception as bug:
            watch.failure = "a bug of the gateway, see its log"
            _log.error("asking %s: a bug of ours", watch.source.name, exc_info=bug)
        else:
            watch.failure = None
            watch.fetched_ms = self._clock.unix_ms()
        watch.is_asked = True
        self._renew()
        self._note_looks()
        if self.on_refreshed is not None:
            self.on_refreshed()

    def _note_looks(self) -> None:
        if all(watch.is_asked for watch in self._lists):
            self.has_looked.set()

    def _renew(self) -> None:
        now = self._clock.unix_ms()
        quotes = [quote for feed in self._feeds for quote in _young(feed, now)]
        self._expires_ms = min((quote.expires_ms for quote in quotes), default=math.inf)
        offers = overlay(self._all(now), quotes, open_to=frozenset(self._unknown()))
        # Most looks find what is known already, and to index a large catalog takes longer than to compare it.
        if offers != self._offers:
            self._offers = offers
            self._swap(self._build(offers))

    def _all(self, now: int) -> Iterator[Offer]:
        for watch in self._lists:
            if watch.said is not None:
                offers = watch.said.offers
                yield from without_prices(offers) if _is_stale(watch, now) else offers
        yield from self._fixed

    def _unknown(self) -> Iterator[str]:
        """Providers that could not be asked for their models ever: of these a feed may know some."""
        return (watch.source.name for watch in self._lists if watch.said is None and watch.failure is not None)


_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class _Source(Protocol[_T_co]):
    @property
    def name(self) -> str: ...

    @property
    def period(self) -> float: ...

    async def fetch(self) -> _T_co: ...


class _Watch(Generic[_T]):
    """A source, and what came of asking it."""

    __slots__ = ("failure", "fetched_ms", "is_asked", "said", "source")

    def __init__(self, source: _Source[_T]) -> None:
        self.source = source
        self.said: _T | None = None
        """Its last answer."""
        self.fetched_ms: int | None = None
        self.failure: str | None = None
        self.is_asked = False


def _is_stale(watch: _Watch[Listing], now: int) -> bool:
    """It has failed since, and its last answer is old. A computer that has slept must not distrust what it knows."""
    said, fetched = watch.said, watch.fetched_ms
    is_old = fetched is not None and now - fetched > _TRUSTED_MS
    return is_old and watch.failure is not None and said is not None and said.has_own_prices


def _young(feed: _Watch[Quotes], now: int) -> Sequence[Quote]:
    return () if feed.said is None else [quote for quote in feed.said.quotes if now < quote.expires_ms]


def _state_of_list(watch: _Watch[Listing], now: int) -> SourceState:
    said = watch.said or Listing()
    return SourceState(
        name=watch.source.name,
        is_feed=False,
        fetched_ms=watch.fetched_ms,
        found=None if watch.said is None else len(said.offers),
        failure=watch.failure,
        refused=said.refused,
        undated=0,
        is_stale=_is_stale(watch, now),
    )


def _state_of_feed(feed: _Watch[Quotes], now: int) -> SourceState:
    said = feed.said or Quotes()
    return SourceState(
        name=feed.source.name,
        is_feed=True,
        fetched_ms=feed.fetched_ms,
        found=None if feed.said is None else len(said.quotes),
        failure=feed.failure,
        refused=said.refused,
        undated=said.undated,
        is_stale=bool(said.quotes) and not _young(feed, now),
    )
