"""One page of the book of health: what is known of one offer or one provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import msgspec

from satisfice.catalog.offers import OfferId
from satisfice.health.breaker import Breaker, SavedBreaker, State
from satisfice.health.rest import Rest
from satisfice.health.stats import Figures, OfferStats

__all__ = [
    "OfferPage",
    "Page",
    "ProviderPage",
    "ProviderStanding",
    "SavedOffer",
    "SavedPage",
    "Scope",
    "Standing",
]

Scope = Literal["offer", "provider"]


class Standing(NamedTuple):
    """How an offer or a provider stands; times are on the injected clock."""

    name: str
    """An offer's id or a provider's name."""
    state: State = State.CLOSED
    """What its own breaker does now."""
    failures: int = 0
    """In a row."""
    last_error: str | None = None
    """Of those, or why it rests."""
    opened_at: float | None = None
    """Since when it has not been closed."""
    probe_at: float | None = None
    """When it is half-open, or since when."""
    resting_until: float | None = None
    figures: Figures | None = None
    """None: it is a provider, or nothing is known."""


class ProviderStanding(NamedTuple):
    """How a provider stands, and its offers."""

    provider: Standing
    offers: Sequence[Standing]


class SavedPage(msgspec.Struct, frozen=True):
    """What is known of an offer or a provider; times are seconds from the moment of saving."""

    name: str
    breaker: SavedBreaker
    rest: Rest


class SavedOffer(msgspec.Struct, frozen=True):
    """What is known of an offer; times are as in `SavedPage`."""

    id: OfferId
    provider: str
    page: SavedPage
    stats: OfferStats


class Page:
    """What is known of either."""

    __slots__ = ("breaker", "is_torn_out", "name", "rest")

    scope: ClassVar[Scope]

    def __init__(self, name: str, breaker: Breaker) -> None:
        """Nothing yet, of an offer's id or a provider's name."""
        self.name = name
        self.breaker = breaker
        self.rest = Rest()
        self.is_torn_out = False
        """The book has forgotten it; attempts that are under way may still write on it."""

    def is_well(self, now: float) -> bool:
        """It is plainly usable."""
        return self.breaker.opened_at is None and not self.rest.is_on(now)

    def standing(self, now: float) -> Standing:
        """What is to be shown of it."""
        breaker = self.breaker
        return Standing(
            self.name,
            breaker.state(now),
            breaker.failures,
            breaker.last_error or (self.rest.error if self.rest.is_on(now) else None),
            breaker.opened_at,
            breaker.probe_at,
            self.rest.until if self.rest.is_on(now) else None,
        )

    def save(self, now: float) -> SavedPage:
        """What is to be kept of it."""
        return SavedPage(self.name, self.breaker.save(now), self.rest.moved(-now))

    def restore(self, saved: SavedPage, then: float) -> None:
        """Go on from what was saved at `then`."""
        self.breaker.restore(saved.breaker, then)
        self.rest = saved.rest.moved(then)


class ProviderPage(Page):
    """What is known of a provider."""

    __slots__ = ("failed",)

    scope: ClassVar[Scope] = "provider"

    def __init__(self, name: str, breaker: Breaker) -> None:
        """Nothing yet."""
        super().__init__(name, breaker)
        self.failed: set[str] = set()
        """Its offers that have failed since its last success."""


class OfferPage(Page):
    """What is known of an offer."""

    __slots__ = ("id", "provider", "stats")

    scope: ClassVar[Scope] = "offer"

    def __init__(self, offer: OfferId, breaker: Breaker, *, provider: ProviderPage) -> None:
        """Nothing yet."""
        super().__init__(offer, breaker)
        self.id = offer
        self.provider = provider
        self.stats = OfferStats()

    def standing(self, now: float) -> Standing:
        """What is to be shown of it."""
        return super().standing(now)._replace(figures=self.stats.figures(now))

    def save_offer(self, now: float) -> SavedOffer:
        """What is to be kept of it."""
        return SavedOffer(self.id, self.provider.name, self.save(now), self.stats.moved(-now))

    def restore_offer(self, saved: SavedOffer, then: float) -> None:
        """Go on from what was saved at `then`."""
        self.restore(saved.page, then)
        self.stats = saved.stats.moved(then)
