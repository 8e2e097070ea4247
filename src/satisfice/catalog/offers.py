"""Offers: a model at a provider at a price; the catalog is one immutable snapshot of them, indexed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType

import msgspec

from satisfice.catalog.model import AUTO, ModelId
from satisfice.core.amounts import Msat, Rate, Usage, price_of

__all__ = ["Catalog", "Offer", "OfferId", "Price", "merge"]

OfferId = NewType("OfferId", str)
"""`model@provider`; callers may ask for one offer by it."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider asks, in msat per million tokens and msat per call."""

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    """For input served from the provider's cache; None: as other input."""
    base_fee: Msat = Msat(0)
    """For the call itself."""

    def cost(self, usage: Usage) -> Msat:
        """What this usage costs; each bucket is rounded up."""
        cached = self.input if self.cache_read is None else self.cache_read
        return Msat(
            self.base_fee
            + price_of(usage.uncached, self.input)
            + price_of(usage.cache_read, cached)
            + price_of(usage.text + usage.reasoning, self.output)
        )


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model at a provider at a price."""

    provider: str
    model: ModelId
    upstream_model: str
    """What the provider calls this model."""
    price: Price | None
    """None: not known, which is not the same as free."""

    @property
    def id(self) -> OfferId:
        """`model@provider`."""
        return OfferId(f"{self.model}@{self.provider}")


class Catalog:
    """One immutable snapshot of all offers, indexed by every name that a caller may use."""

    __slots__ = ("_by_name", "models", "offers")

    def __init__(self, offers: Iterable[Offer] = ()) -> None:
        """Index the offers, sorted by provider; of two with the same id the later one counts."""
        unique = {offer.id: offer for offer in offers}
        self.offers: tuple[Offer, ...] = tuple(sorted(unique.values(), key=lambda offer: offer.provider))
        by_model: dict[str, list[Offer]] = {}
        for offer in self.offers:
            by_model.setdefault(offer.model, []).append(offer)
        self.models: tuple[ModelId, ...] = tuple(ModelId(name) for name in sorted(by_model))
        names: dict[str, tuple[Offer, ...]] = {name: tuple(found) for name, found in by_model.items()}
        # In this order: a provider that lists a model called `auto` or `gpt-4o@other` gets no call meant for others.
        names |= {offer.id: (offer,) for offer in self.offers}
        names[AUTO] = tuple(offer for offer in self.offers if offer.price is not None)
        self._by_name = names

    def find(self, name: str) -> tuple[Offer, ...]:
        """The offers a caller means by a model's name, `model@provider` or `auto`; none if nobody has it."""
        return self._by_name.get(name, ())


def merge(parts: Iterable[Iterable[Offer]]) -> Catalog:
    """One catalog of several sources; where two name the same offer, the later source counts."""
    return Catalog(offer for part in parts for offer in part)
