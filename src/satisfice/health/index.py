"""The pages of the book of health: opened when they are needed, marked when they need a look, torn out, saved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

from satisfice.catalog.names import ANY
from satisfice.catalog.offers import Offer, OfferId
from satisfice.health.breaker import Breaker, Limits
from satisfice.health.page import OfferPage, Page, ProviderPage, SavedOffer, SavedPage

__all__ = ["Index", "Snapshot"]

_NEGLIGIBLE: Final = 0.005


class Snapshot(msgspec.Struct, frozen=True):
    """All pages, as they were at one moment."""

    unix_ms: int
    providers: tuple[SavedPage, ...]
    offers: tuple[SavedOffer, ...]


class Index:
    """All pages by what they are about, and which of them are marked."""

    __slots__ = ("_chance", "_limits", "_most", "_special", "failing", "offers", "providers", "troubled")

    def __init__(
        self, limits: Limits, special: Mapping[str, Limits], *, chance: Callable[[], float], most: int
    ) -> None:
        """No pages yet; `special` limits are by provider. Of more than `most` offers some are forgotten."""
        self._limits = limits
        self._special = special
        self._chance = chance
        self._most = most
        self.offers: dict[OfferId, OfferPage] = {}
        self.providers: dict[str, ProviderPage] = {}
        self.troubled: set[str] = set()
        """Names of pages that may not be well. A provider can't be called as an offer: it has no `@`."""
        self.failing: dict[OfferId, float] = {}
        """The share of attempts that fail, as far as it is worth a word."""

    def offer(self, id_: OfferId, provider: str, *, now: float) -> OfferPage:
        """The page of an offer; a new one if there is none."""
        page = self.offers.get(id_)
        if page is None:
            if len(self.offers) >= self._most:
                self._make_room(now)
            breaker = Breaker(self._limits_of(provider), chance=self._chance)
            page = self.offers[id_] = OfferPage(id_, breaker, provider=self.provider(provider))
        return page

    def provider(self, name: str) -> ProviderPage:
        """The page of a provider; a new one if there is none."""
        page = self.providers.get(name)
        if page is None:
            # One failure never takes all of a provider's offers away, however little patience there is with one offer.
            limits = self._limits_of(name)
            limits = limits._replace(failures=max(2, limits.failures))
            page = self.providers[name] = ProviderPage(name, Breaker(limits, chance=self._chance))
        return page

    def mark(self, page: Page, now: float) -> None:
        """Mark it if something is the matter with it, or else wipe the mark off."""
        if page.is_well(now):
            self.troubled.discard(page.name)
        elif not page.is_torn_out:
            self.troubled.add(page.name)

    def note_rate(self, page: OfferPage, now: float) -> None:
        """Note how much of what it was asked has failed."""
        rate = page.stats.failure_rate(now)
        if rate < _NEGLIGIBLE:
            self.failing.pop(page.id, None)
        elif not page.is_torn_out:
            self.failing[page.id] = rate

    def refresh(self, now: float) -> None:
        """Let the rates that were noted decay."""
        for id_ in tuple(self.failing):
            self.note_rate(self.offers[id_], now)

    def forget(self, keep: Collection[Offer]) -> None:
        """Tear out all pages but those of these offers and their providers; one for any model keeps its provider's."""
        ids = {offer.id for offer in keep}
        for page in tuple(self.offers.values()):
            if page.id not in ids and f"{ANY}@{page.provider.name}" not in ids:
                self._tear_out(page)
        for name in self.providers.keys() - {offer.provider for offer in keep}:
            self.providers.pop(name).is_torn_out = True
            self.troubled.discard(name)

    def save(self, now: float, unix_ms: int) -> Snapshot:
        """All of it as it is now, except for the attempts that are under way."""
        providers = tuple(page.save(now) for page in self.providers.values())
        return Snapshot(unix_ms, providers, tuple(page.save_offer(now) for page in self.offers.values()))

    def restore(self, snapshot: Snapshot, now: float, *, unix_ms: int) -> None:
        """Go on from a snapshot. If the system's clock has gone back since, no time has passed."""
        then = now - max(0, unix_ms - snapshot.unix_ms) / 1_000
        for saved in snapshot.providers:
            provider = self.provider(saved.name)
            provider.restore(saved, then)
            self.mark(provider, now)
        for saved_offer in snapshot.offers:
            offer = self.offer(saved_offer.id, saved_offer.provider, now=now)
            offer.restore_offer(saved_offer, then)
            self.mark(offer, now)
            self.note_rate(offer, now)

    def _limits_of(self, provider: str) -> Limits:
        return self._special.get(provider, self._limits)

    def _make_room(self, now: float) -> None:
        """Those that are well go, for that is what is thought of offers without a page; if none is, all go."""
        pages = tuple(self.offers.values())
        for page in [page for page in pages if page.is_well(now)] or pages:
            self._tear_out(page)

    def _tear_out(self, page: OfferPage) -> None:
        page.is_torn_out = True
        del self.offers[page.id]
        self.failing.pop(page.id, None)
        self.troubled.discard(page.name)
