"""Prices from a market feed over HTTP: quotes for the offers of providers that the operator has configured.

A feed is a third party's word on what others charge. So it names no providers
of its own, it gets no key, and of its quotes only those are taken that have a
price, are young, and are for an address that the operator has written himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from satisfice.catalog.listing import Quote, Quotes, Refused
from satisfice.core.amounts import Rate
from satisfice.core.clock import Clock
from satisfice.discovery.listing import is_model
from satisfice.discovery.lists import fetch_list, showable, unix_ms
from satisfice.discovery.pricing import SATS_PER_MTOK, Unpriced
from satisfice.ports import Endpoint, Transport

__all__ = ["MarketSource"]


class MarketSource:
    """Quotes of a feed, in satoshi per million tokens. Fills the port `QuoteSource`."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        providers: Iterable[Endpoint],
        max_age: float,
        period: float,
        clock: Clock,
    ) -> None:
        """The feed's endpoint is called as the feed; its address is that of the quotes, and a key of it isn't sent.

        `max_age` and `period` are seconds: how old a quote may be, and from one look to the next.
        """
        parts = urlsplit(endpoint.url)
        self._transport = transport
        # Connections are kept by name; the colon is in no provider's.
        self._endpoint = msgspec.structs.replace(
            endpoint, provider=f"feed:{endpoint.provider}", url=f"{parts.scheme}://{parts.netloc}", key=None
        )
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._name = endpoint.provider
        self._providers = _by_place(providers)
        self._max_age_ms = round(max_age * 1_000)
        self._period = period
        self._clock = clock

    @property
    def name(self) -> str:
        """The feed's name."""
        return self._name

    @property
    def period(self) -> float:
        """Seconds from one look to the next."""
        return self._period

    async def fetch(self) -> Quotes:
        """All the quotes of now that can be used; `Broken` if there is no answer or none that is a list.

        A quote that has no time of its own was seen when the feed was sent, as its `Date` says, or else just now.
        """
        found = await fetch_list(self._transport, self._endpoint, path=self._path, member="quotes", of="quotes")
        now = self._clock.unix_ms()
        sent = now if found.date_ms is None else min(found.date_ms, now)
        quotes: list[Quote] = []
        refused: dict[Refused, None] = {}  # a set in order, for one address may stand for hundreds of quotes
        undated = 0
        for number, element in enumerate(found.elements, 1):
            try:
                listed = _read(element, number)
                quotes += self._quotes(listed, sent, now=now)
            except _Declined as declined:
                refused[declined.refused] = None
            else:
                undated += listed.observed_at is None
        return Quotes(quotes=tuple(quotes), refused=tuple(refused), undated=undated)

    def _quotes(self, listed: _Listed, sent: int, *, now: int) -> Iterator[Quote]:
        """One for each provider at that address; or `_Declined`."""
        providers = self._at(listed)
        if not is_model(listed.model):
            raise _Declined(listed.model, "is no name for a model here")
        rate_in, rate_out = _rates(listed)
        observed = sent if listed.observed_at is None else _time(listed, listed.observed_at)
        if observed > now + self._max_age_ms:
            raise _Declined(listed.model, "is dated in the future")
        if observed <= now - self._max_age_ms:
            raise _Declined(listed.model, f"is older than {self._max_age_ms / 1_000:g} s")
        observed = min(observed, now)  # clocks differ a little, and no quote may live longer for that
        for provider in providers:
            yield Quote(
                provider=provider,
                model=listed.model,
                input=rate_in,
                output=rate_out,
                observed_ms=observed,
                expires_ms=observed + self._max_age_ms,
            )

    def _at(self, listed: _Listed) -> Sequence[str]:
        """The providers at the address of a quote: those that the operator has given this very address."""
        if listed.endpoint is None:
            raise _Declined(listed.model, "has no address")
        place = _place(listed.endpoint)
        if place is None:
            raise _Declined(listed.endpoint, "is no address of an API")
        providers = self._providers.get(place)
        if providers is None:
            raise _Declined(listed.endpoint, self._stranger(place))
        return providers

    def _stranger(self, place: _Place) -> str:
        if place.scheme == "https":
            return "is no address of a configured provider"
        safe = place._replace(scheme="https", port=443 if place.port == 80 else place.port)
        if safe in self._providers:
            return "is plain http, and the provider is configured by https"
        return "is plain http, at an address that the configuration does not name"


class _Declined(Exception):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.refused = Refused(showable(name), reason)


class _Listed(msgspec.Struct):
    """https://github.com/johnzilla/tokenstats, `GET /api/quotes`."""

    model: str
    endpoint: str | None = None
    price_in_sats: Decimal | None = None
    price_out_sats: Decimal | None = None
    observed_at: str | int | float | None = None
    """RFC 3339, or seconds or milliseconds since 1970."""


class _Place(NamedTuple):
    """Where an API is, however its address is written."""

    scheme: str
    host: str
    port: int
    path: str
    """Without `/v1`, which not everybody counts in."""


_listed_of = msgspec.json.Decoder(_Listed).decode
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_FIRST_MILLISECONDS: Final = 100_000_000_000
"""What is below is seconds (up to the year 5138), what is above milliseconds (from 1973 on)."""


def _read(element: msgspec.Raw, number: int) -> _Listed:
    try:
        return _listed_of(element)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _Declined(f"entry {number}", "can't be read") from None


def _rates(listed: _Listed) -> tuple[Rate, Rate]:
    try:
        rate_in = SATS_PER_MTOK.read(listed.price_in_sats, "input")
        rate_out = SATS_PER_MTOK.read(listed.price_out_sats, "output")
    except Unpriced as why:
        raise _Declined(listed.model, str(why)) from None
    if not (rate_in and rate_out):
        raise _Declined(listed.model, "has a price of 0, which only its provider can promise")
    return rate_in, rate_out


def _time(listed: _Listed, said: str | float) -> int:
    """Milliseconds since 1970."""
    if not isinstance(said, str):
        return round(said * 1_000 if said < _FIRST_MILLISECONDS else said)
    try:
        return unix_ms(datetime.fromisoformat(said))
    except ValueError:
        raise _Declined(listed.model, "has a time that can't be read") from None


def _by_place(providers: Iterable[Endpoint]) -> Mapping[_Place, Sequence[str]]:
    found: dict[_Place, list[str]] = {}
    for endpoint in providers:
        place = _place(endpoint.url)
        if place is not None:
            found.setdefault(place, []).append(endpoint.provider)
    return found


def _place(url: str) -> _Place | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".").encode("idna").decode()
        port = parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in _PORTS or "@" in parts.netloc or parts.query or parts.fragment:
        return None
    path = parts.path.rstrip("/").removesuffix("/v1")
    return _Place(parts.scheme, host, port or _PORTS[parts.scheme], path)
