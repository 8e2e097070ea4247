"""How offers and providers stand at this moment, by the clock and without a call: what `GET /health` tells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import Clock
from satisfice.engine.gateway import Gateway
from satisfice.health.book import HealthBook
from satisfice.health.breaker import State
from satisfice.health.page import Standing

__all__ = ["Dates", "Section", "Status", "sections", "standing_as_json", "standings_as_json", "status_of"]

_Json = dict[str, object]

Status = Literal["ok", "degraded", "unhealthy"]

_MOST: Final = 500
"""Offers that are listed; one takes about 300 bytes."""


class Dates(NamedTuple):
    """Tells instants as dates, in UTC (RFC 3339)."""

    now: float
    """The present on the injected clock."""
    unix_ms: int
    """The same in milliseconds since 1970."""

    @classmethod
    def by(cls, clock: Clock) -> Dates:
        """As the clock has it."""
        return cls(clock.now(), clock.unix_ms())

    def at(self, instant: float | None) -> str | None:
        """The date of an instant on the injected clock."""
        return None if instant is None else self.at_ms(self.unix_ms + round((instant - self.now) * 1_000))

    def at_ms(self, unix_ms: int | None) -> str | None:
        """The date of an instant in milliseconds since 1970."""
        if unix_ms is None:
            return None
        return datetime.fromtimestamp(unix_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Section(NamedTuple):
    """What a catalog has of one provider."""

    provider: str
    offers: Sequence[Offer]
    """At least one."""


def status_of(gateway: Gateway) -> Status:
    """Unhealthy: no offer can be had, for each one's breaker or its provider's is open; degraded: one isn't closed.

    Only what is in trouble is looked at, so it costs nothing while all is well.
    """
    catalog, book = gateway.catalog, gateway.memory.health
    standings = book.report(_troubled(catalog, book), gateway.clock.now())
    states = {provider.name: provider.state for provider, _ in standings}
    states |= {offer.name: offer.state for _, offers in standings for offer in offers}
    is_open = {name for name, state in states.items() if state is State.OPEN}
    if is_open and all(offer.provider in is_open or offer.id in is_open for offer in catalog.offers):
        return "unhealthy"
    return "ok" if all(state is State.CLOSED for state in states.values()) else "degraded"


def standings_as_json(gateway: Gateway) -> _Json:
    """Each provider, with those of its offers of which something is known; where they are too many, the troubled."""
    catalog, book = gateway.catalog, gateway.memory.health
    dates = Dates.by(gateway.clock)
    known = sorted(_known(catalog, book, now=dates.now), key=lambda offer: offer.id not in book.troubled)[:_MOST]
    found = sections(catalog)
    # The first offer stands for its provider, which is to be told of even if nothing is known of any offer.
    standings = book.report((*(section.offers[0] for section in found), *known), dates.now)
    sizes = {section.provider: len(section.offers) for section in found}
    listed = Counter(offer.provider for offer in known if _is_listed(offer, catalog))
    return {
        provider.name: {
            **standing_as_json(provider, dates),
            "state": _together(provider, offers[1:], size=sizes[provider.name]).value,
            "offers": {each.name: standing_as_json(each, dates) for each in offers[1:]},
            "other_offers": sizes[provider.name] - listed[provider.name],
        }
        for provider, offers in standings
    }


def _together(provider: Standing, known: Sequence[Standing], *, size: int) -> State:
    """A provider none of whose offers can plainly be had is not told to be closed, even if its own breaker is."""
    states = {offer.state for offer in known}
    if provider.state is not State.CLOSED or State.CLOSED in states or len(known) < size:
        return provider.state
    return State.OPEN if states == {State.OPEN} else State.HALF_OPEN


def standing_as_json(standing: Standing, dates: Dates) -> _Json:
    """What a breaker does and why, and what is known of the offer that it is for."""
    shown: _Json = {
        "state": standing.state.value,
        "failure_count": standing.failures,
        "last_error": standing.last_error,
        "opened_at": dates.at(standing.opened_at),
        "next_probe": dates.at(standing.probe_at),
        "resting_until": dates.at(standing.resting_until),
    }
    figures = standing.figures
    if figures is not None:
        shown["first_byte_seconds"] = _rounded(figures.first_byte)
        shown["tokens_per_second"] = _rounded(figures.rate)
        shown["failure_rate"] = _rounded(figures.failure_rate)
    return shown


def sections(catalog: Catalog) -> Sequence[Section]:
    """The catalog provider by provider; it is sorted so, and not every offer is looked at."""
    offers = catalog.offers
    found: list[Section] = []
    start = 0
    while start < len(offers):
        provider = offers[start].provider
        end = bisect_right(offers, provider, lo=start, key=_provider)
        found.append(Section(provider, offers[start:end]))
        start = end
    return found


_provider = attrgetter("provider")


def _troubled(catalog: Catalog, book: HealthBook) -> Iterator[Offer]:
    """The offers that are in trouble, and one offer of each provider that is."""
    for name in book.troubled:
        offer = _offer(name, catalog) if "@" in name else _first(name, catalog)
        if offer is not None:
            yield offer


def _known(catalog: Catalog, book: HealthBook, *, now: float) -> Iterator[Offer]:
    """The offers that are in trouble or have been used lately."""
    named = book.troubled | book.failure_rates.keys()
    for offer in catalog.offers:
        if offer.id in named or book.latency(offer.id, 0, now=now) is not None:
            yield offer
    for name in sorted(named):
        made_up = _offer(name, catalog)
        if made_up is not None and not _is_listed(made_up, catalog):
            yield made_up


def _offer(id_: str, catalog: Catalog) -> Offer | None:
    """The offer of this id, be it under a name that a caller has made up at a provider who takes any."""
    names = (id_, id_.rpartition("@")[0])
    return next((offer for name in names for offer in catalog.find(name) if offer.id == id_), None)


def _is_listed(offer: Offer, catalog: Catalog) -> bool:
    return catalog.find(offer.id) == (offer,)


def _first(provider: str, catalog: Catalog) -> Offer | None:
    offers = catalog.offers
    index = bisect_left(offers, provider, key=_provider)
    return offers[index] if index < len(offers) and offers[index].provider == provider else None


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)
