"""Offers: a model at a provider at a price; the catalog is one immutable snapshot of them, indexed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NewType

import msgspec

from satisfice.catalog.model import AUTO, Capabilities, ModelId
from satisfice.catalog.names import ANY, Named, canonical, matching
from satisfice.core.amounts import Msat, Rate, Usage, price_of

__all__ = ["Catalog", "Offer", "OfferId", "Price", "Tier", "Traits", "merge"]

OfferId = NewType("OfferId", str)
"""`model@provider`; callers may ask for one offer by it."""


_LONGEST: Final = 200
"""Characters of a model's name, for those who take any; callers make them up."""


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider asks for calls with a long prompt: all of its tokens, not only those above the threshold."""

    above: int
    """Input tokens from which on it counts (exclusive)."""
    input: Rate
    output: Rate
    cache_read: Rate | None = None
    cache_write: Rate | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider asks, in msat per million tokens and msat per call."""

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    """For input served from the provider's cache; None: as other input."""
    cache_write: Rate | None = None
    """For input that is put into the cache; None: as other input."""
    base_fee: Msat = Msat(0)
    """For the call itself."""
    tiers: tuple[Tier, ...] = ()
    """Other rates for long prompts, by rising threshold."""

    def at(self, input_tokens: int) -> Price | Tier:
        """The rates for a prompt of so many tokens."""
        rates: Price | Tier = self
        for tier in self.tiers:
            if input_tokens > tier.above:
                rates = tier
        return rates

    def cost(self, usage: Usage) -> Msat:
        """What this usage costs; each bucket is rounded up."""
        rates = self.at(usage.input) if self.tiers else self
        read = rates.input if rates.cache_read is None else rates.cache_read
        written = rates.input if rates.cache_write is None else rates.cache_write
        return Msat(
            self.base_fee
            + price_of(usage.uncached, rates.input)
            + price_of(usage.cache_read, read)
            + price_of(usage.cache_write, written)
            + price_of(usage.text + usage.reasoning, rates.output)
        )


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator knows of how and where an offer is run; None: not known."""

    region: str | None = None
    """Where, such as `eu`."""
    retention: str | None = None
    """How long prompts are kept, such as `none`."""
    quantisation: str | None = None
    """The precision of its weights, such as `fp8`."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model at a provider at a price."""

    provider: str
    model: ModelId
    upstream_model: str
    """What the provider calls this model."""
    price: Price | None
    """None: not known, which is not the same as free."""
    capabilities: Capabilities = Capabilities()
    traits: Traits = Traits()
    id: OfferId = OfferId("")
    """`model@provider`; always made of the two."""

    def __post_init__(self) -> None:
        """Put the id together once: every call looks it up."""
        msgspec.structs.force_setattr(self, "id", OfferId(f"{self.model}@{self.provider}"))


class Catalog:
    """One immutable snapshot of all offers, indexed by every name that a caller may use."""

    __slots__ = ("_aliases", "_any", "_by_name", "models", "offers", "virtual")

    def __init__(self, offers: Iterable[Offer] = (), named: Sequence[Named] = ()) -> None:
        """Index the offers, sorted by provider, under the names that the operator gives models as well.

        Of two with the same id the later one counts, unless the earlier one is listed by the model's very name.
        """
        aliases = self._aliases = {alias: each.name for each in named for alias in each.aliases}
        unique: dict[OfferId, tuple[int, Offer]] = {}
        for listed in offers:
            closeness, offer = _called(listed, aliases)
            if closeness >= unique.get(offer.id, (0,))[0]:
                unique[offer.id] = (closeness, offer)
        self.offers: tuple[Offer, ...] = tuple(sorted((offer for _, offer in unique.values()), key=_provider))
        self._any: tuple[Offer, ...] = tuple(offer for offer in self.offers if offer.model == ANY)
        by_model: dict[str, list[Offer]] = {}
        for offer in self.offers:
            by_model.setdefault(offer.model, []).append(offer)
        by_model.pop(ANY, None)
        self.models: tuple[ModelId, ...] = tuple(ModelId(name) for name in sorted(by_model))
        """Each model by its own name, sorted."""
        self.virtual: tuple[str, ...] = tuple(each.name for each in named if each.any_of)
        """Names that stand for a choice of models."""
        self._by_name = self._index(by_model, named, aliases=aliases)

    def _index(
        self, by_model: Mapping[str, Sequence[Offer]], named: Sequence[Named], *, aliases: Mapping[str, str]
    ) -> Mapping[str, tuple[Offer, ...]]:
        # In this order: a provider that lists a model called `auto` or `gpt-4o@other` gets no call meant for others.
        names: dict[str, tuple[Offer, ...]] = {
            offer.upstream_model: tuple(by_model[offer.model]) for offer in self.offers if offer.model != ANY
        }
        names |= {alias: tuple(by_model.get(model, ())) for alias, model in aliases.items()}
        names |= {name: tuple(found) for name, found in by_model.items()}
        for each in named:
            if each.any_of:
                names[each.name] = tuple(offer for name in matching(each.any_of, by_model) for offer in by_model[name])
        names |= {offer.id: (offer,) for offer in self.offers}
        names[AUTO] = tuple(offer for offer in self.offers if offer.price is not None and offer.model != ANY)
        return names

    def find(self, name: str) -> tuple[Offer, ...]:
        """The offers a caller means by a model's name, `model@provider`, a name of the operator's or `auto`.

        None if nobody has it; a name that nobody lists is for those who take any.
        """
        found = self._by_name.get(name)
        if found is not None or not self._any or len(name) > _LONGEST:
            return found or ()
        model = ModelId(canonical(name, self._aliases))
        return tuple(msgspec.structs.replace(offer, model=model, upstream_model=name) for offer in self._any)


def merge(parts: Iterable[Iterable[Offer]], named: Sequence[Named] = ()) -> Catalog:
    """One catalog of several sources; where two name the same offer, the later source counts."""
    return Catalog((offer for part in parts for offer in part), named)


def _called(listed: Offer, aliases: Mapping[str, str]) -> tuple[int, Offer]:
    """The offer under its model's own name, and how close that is to what the provider calls it (0 to 2)."""
    name = canonical(listed.model, aliases)
    if name == listed.model:
        return 2, listed
    closeness = 1 if listed.model.endswith(f"/{name}") else 0
    return closeness, msgspec.structs.replace(listed, model=ModelId(name))


def _provider(offer: Offer) -> str:
    return offer.provider
