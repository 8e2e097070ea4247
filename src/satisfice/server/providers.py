"""Who can be asked, for what and at what price, and what of it isn't used and why: what `GET /providers` tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlencode

from satisfice.catalog.lessons import Lesson
from satisfice.catalog.model import near_misses
from satisfice.catalog.offers import Offer
from satisfice.core.errors import BadRequest
from satisfice.engine.gateway import Gateway
from satisfice.engine.refresher import SourceState
from satisfice.health.page import Standing
from satisfice.server.showing import offer_as_json
from satisfice.server.status import Dates, sections, standing_as_json

__all__ = ["Page", "page_of", "providers_as_json"]

_Json = dict[str, object]

_MOST_OFFERS: Final = 500
"""On a page; one takes about a kilobyte."""
_MOST_REFUSED: Final = 100
"""Of a source."""
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class Page(NamedTuple):
    """What is asked for."""

    provider: str | None = None
    """None: all of them."""
    offset: int = 0
    """How many offers stand on the pages before."""


def page_of(query: bytes) -> Page:
    """The page that a query string asks for, or `BadRequest`."""
    fields = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    offset = fields.get("offset", ["0"])[-1]
    if not _NUMBER.fullmatch(offset):
        raise BadRequest("`offset` must be a whole number.", param="offset", hint="Follow `next` of the page before.")
    return Page(fields["provider"][-1] if "provider" in fields else None, int(offset))


def providers_as_json(gateway: Gateway, page: Page) -> _Json:
    """The providers with a page of their offers, and the market feeds; `BadRequest` if nobody has the name."""
    view = _View(gateway)
    names = view.names if page.provider is None else (_checked(page.provider, view.names),)
    providers: list[_Json] = []
    before = 0
    for name in names:
        start = max(0, page.offset - before)
        providers.append(view.provider(name, slice(start, max(0, page.offset + _MOST_OFFERS - before))))
        before += view.count(name)
    end = page.offset + _MOST_OFFERS
    return {
        "offer_count": before,
        "next": _address(page._replace(offset=end)) if end < before else None,
        "providers": providers,
        "feeds": view.feeds(),
    }


class _View:
    """One look at everything."""

    def __init__(self, gateway: Gateway) -> None:
        states = gateway.refresher.state()
        self._book = gateway.memory.health
        self._dates = Dates.by(gateway.clock)
        self._feeds = [state for state in states if state.is_feed]
        self._lists = {state.name: state for state in states if not state.is_feed}
        self._lessons = {lesson.offer: lesson for lesson in gateway.memory.lessons.shown()}
        self._offers = {section.provider: section.offers for section in sections(gateway.catalog)}
        self.names = sorted(self._offers.keys() | self._lists.keys())

    def count(self, provider: str) -> int:
        return len(self._offers.get(provider, ()))

    def provider(self, name: str, part: slice) -> _Json:
        offers = self._offers.get(name, ())
        shown = offers[part]
        standing, standings = self._standings(name, offers[:1], shown=shown)
        source = self._lists.get(name)
        return {
            "name": name,
            **standing_as_json(standing, self._dates),
            "traits": _traits(offers),
            "offer_count": len(offers),
            "offers": [self._offer(*each) for each in zip(shown, standings, strict=True)],
            "source": None if source is None else self._source(source),
        }

    def feeds(self) -> list[_Json]:
        return [{"name": feed.name, **self._source(feed), "undated": feed.undated} for feed in self._feeds]

    def _standings(
        self, provider: str, first: Sequence[Offer], *, shown: Sequence[Offer]
    ) -> tuple[Standing, Sequence[Standing]]:
        """Of the provider and of the offers to be shown; there may be none, and then its first stands for it."""
        for standing, standings in self._book.report((*first, *shown), self._dates.now):
            return standing, standings[1:]
        return Standing(provider), ()

    def _offer(self, offer: Offer, standing: Standing) -> _Json:
        lesson = self._lessons.get(offer.id)
        return {
            **offer_as_json(offer),
            "health": standing_as_json(standing, self._dates),
            "learnt": None if lesson is None else _lesson(lesson),
        }

    def _source(self, state: SourceState) -> _Json:
        refused = [{"name": each.name, "reason": each.reason} for each in state.refused[:_MOST_REFUSED]]
        return {
            "fetched_at": self._dates.at_ms(state.fetched_ms),
            "found": state.found,
            "failure": state.failure,
            "is_stale": state.is_stale,
            "refused_count": len(state.refused),
            "refused": refused,
        }


def _checked(name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    near = near_misses(name, known)
    hint = f"Did you mean `{near[0]}`?" if near else "GET /providers lists all."
    raise BadRequest(f"There is no provider `{name[:100]}`.", param="provider", hint=hint)


def _address(page: Page) -> str:
    chosen = {} if page.provider is None else {"provider": page.provider}
    return f"/providers?{urlencode(chosen | {'offset': page.offset})}"


def _traits(offers: Sequence[Offer]) -> _Json:
    """All that occur among the offers; what isn't known of an offer is not among them."""
    found = {offer.traits for offer in offers}
    return {
        "regions": sorted({each.region for each in found if each.region is not None}),
        "retentions": sorted({each.retention for each in found if each.retention is not None}),
        "quantisations": sorted({each.quantisation for each in found if each.quantisation is not None}),
    }


def _lesson(lesson: Lesson) -> _Json:
    return {"context": lesson.context, "cannot": sorted(ability.value for ability in lesson.lacks)}
