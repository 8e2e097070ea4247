"""What sources say of the market: offers, quotes for them, and what of it isn't taken, with the reason.

A provider's list says which models there are; that it has none is another
answer than that nobody has answered. A market feed says only what they cost
now: its quotes lie over the prices of offers as long as they are young.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

import msgspec

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price, Tier
from satisfice.core.amounts import Rate

__all__ = ["Listing", "Quote", "Quotes", "Refused", "overlay", "without_prices"]


class Refused(msgspec.Struct, frozen=True):
    """Something of a list that isn't taken, or not as it is said there."""

    name: str
    """The model, or the address, as far as it can be shown."""
    reason: str
    """For people."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a source of offers has."""

    offers: tuple[Offer, ...] = ()
    """Empty: it has none, for it was asked and said so."""
    refused: tuple[Refused, ...] = ()
    """Models that it lists and that are not taken, or only without a price."""
    has_own_prices: bool = True
    """The prices are the source's word, so they are no longer good when it is old."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs at a provider, as a market feed has seen it."""

    provider: str
    model: str
    """As the provider calls it."""
    input: Rate
    output: Rate
    observed_ms: int
    """Milliseconds since 1970."""
    expires_ms: int
    """From then on it is too old, in the same measure."""


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """What a market feed has."""

    quotes: tuple[Quote, ...] = ()
    refused: tuple[Refused, ...] = ()
    """Quotes that are not taken, by model or by address."""
    undated: int = 0
    """How many quotes say nothing of their age; they count as seen when the feed was sent."""


def overlay(offers: Iterable[Offer], quotes: Iterable[Quote], *, open_to: Container[str] = ()) -> tuple[Offer, ...]:
    """The offers at the prices that are quoted for them; of two quotes the newer counts, or else the dearer.

    What is free stays free, since that is somebody's word and no price of the
    market. `open_to` are providers to which a quote may add a model; to all
    others it adds none.
    """
    latest: dict[tuple[str, str], Quote] = {}
    for quote in quotes:
        key = quote.provider, quote.model
        latest[key] = max(latest.get(key, quote), quote, key=_weight)
    found = tuple(offers)
    known = {(offer.provider, offer.upstream_model) for offer in found}
    added = (quote for key, quote in latest.items() if key not in known and quote.provider in open_to)
    return (
        *(_priced(offer, latest.get((offer.provider, offer.upstream_model))) for offer in found),
        *map(_offer, added),
    )


def without_prices(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The same offers, of which nobody knows any longer what they cost."""
    return tuple(msgspec.structs.replace(offer, price=None) for offer in offers)


def _weight(quote: Quote) -> tuple[int, int]:
    return quote.observed_ms, quote.input + quote.output


def _offer(quote: Quote) -> Offer:
    return Offer(
        provider=quote.provider,
        model=ModelId(quote.model),
        upstream_model=quote.model,
        price=Price(input=quote.input, output=quote.output),
    )


def _priced(offer: Offer, quote: Quote | None) -> Offer:
    price = offer.price
    if quote is None or (price is not None and not (price.input or price.output)):
        return offer
    quoted = Price(input=quote.input, output=quote.output) if price is None else _moved(price, quote)
    return msgspec.structs.replace(offer, price=quoted)


def _moved(price: Price, quote: Quote) -> Price:
    """What a quote doesn't tell keeps its proportion to what it does; the fee of the call itself has none."""
    by_input, by_output = _Move(price.input, quote.input), _Move(price.output, quote.output)
    return Price(
        input=quote.input,
        output=quote.output,
        cache_read=by_input.if_known(price.cache_read),
        cache_write=by_input.if_known(price.cache_write),
        base_fee=price.base_fee,
        tiers=tuple(
            Tier(
                above=tier.above,
                input=by_input.of(tier.input),
                output=by_output.of(tier.output),
                cache_read=by_input.if_known(tier.cache_read),
                cache_write=by_input.if_known(tier.cache_write),
            )
            for tier in price.tiers
        ),
    )


class _Move(NamedTuple):
    """From one rate to another."""

    old: Rate
    new: Rate

    def of(self, rate: Rate) -> Rate:
        """As much more or less, rounded up; from nothing there is no proportion."""
        return Rate(-(-rate * self.new // self.old)) if self.old else rate

    def if_known(self, rate: Rate | None) -> Rate | None:
        return None if rate is None else self.of(rate)
