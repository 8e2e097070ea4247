"""The offers that one kind of request may have, by all that does not change from call to call.

What a caller asks for, the policies that apply and the abilities that are
needed sort most offers out in the same way each time. That is done once for a
catalog and kept; a call is left with what moves: prompt, caches and health.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import Final, NamedTuple

from satisfice.catalog.lessons import Lessons
from satisfice.catalog.model import near_misses
from satisfice.catalog.offers import Catalog, Offer, OfferId, Price
from satisfice.core.amounts import PER_MTOK
from satisfice.core.errors import UnknownModel
from satisfice.routing.cost import cost_of
from satisfice.routing.forecast import Forecast, Kind
from satisfice.routing.policy import Applied, exclusion
from satisfice.routing.reasons import Exclusion, Reason
from satisfice.routing.recent import Recent
from satisfice.wire.request import Ability, Request

__all__ = ["Pool", "Pools", "Priced"]

_MANY: Final = 1_000
"""Of more offers than this only the cheapest are kept, for calls of several shapes."""
_KEPT: Final = 100
"""Offers for each shape."""
_PROVIDERS: Final = 20
"""For each the cheapest one of so many providers as well: one may have all that is cheap, and fail."""
_SHAPES: Final = (
    (20, 0, 1),
    (100, 0, 1_000),
    (1_000, 0, 300),
    (10_000, 0, 500),
    (10_000, 8_000, 500),
    (300_000, 0, 1_000),
)
"""Tokens in, cached ones among them, and tokens out."""
_STALE: Final = 64
"""Lessons of the forecast after which a table is computed anew."""
_TABLES: Final = 8
"""Tables that a pool keeps: callers may ask for answers of any length, but applications have their habits."""
_UNLIMITED: Final = 40
"""Binary digits of more tokens than any answer has."""
_HELD: Final = 500_000
"""Offers in all pools that are kept, with those that are excluded: names that callers make up can't take more."""
_ENDLESS: Final = 10**12
"""More choices than this count as so many: a caller may ask for any number, and a float can't hold each."""


class Priced(NamedTuple):
    """An offer whose price is known."""

    offer: Offer
    price: Price


class _Shape(NamedTuple):
    """What list prices are weighed by, besides the size of the prompt; roughly, so that few are all there is."""

    kind: Kind
    cached: float
    """The share of the prompt that comes from caches, in tenths."""
    limit: int
    """Binary digits of the most tokens that the answer may have."""
    times: int
    """Answers."""


_Row = tuple[float, float]
"""What an offer costs by its list price, in msat: for each byte of the body, and for all the rest."""


class Pool:
    """Offers that qualify for a kind of request, and why the others don't."""

    __slots__ = ("_tables", "applied", "asked", "by_id", "excluded", "has_caches", "offers", "relaxed", "unpriced")

    def __init__(
        self,
        asked: str,
        offers: Sequence[Priced],
        *,
        unpriced: Sequence[Offer] = (),
        excluded: Sequence[Exclusion] = (),
        applied: Applied,
        relaxed: Pool | None = None,
    ) -> None:
        """`relaxed` is what there is without advisory policies, if there are any."""
        self.asked = asked
        self.offers = offers
        self.by_id: Mapping[OfferId, Priced] = {each.offer.id: each for each in offers}
        self.unpriced = unpriced
        """Those that may be used when none with a price is left."""
        self.excluded = excluded
        self.applied = applied
        self.relaxed = relaxed
        is_cached = len(offers) > 1 and any(price.cache_read is not None for _, price in offers)
        self.has_caches: bool = is_cached or (relaxed is not None and relaxed.has_caches)
        """It matters where a conversation goes on; elsewhere it costs nothing to switch, so each call stands alone."""
        self._tables = Recent[_Shape, tuple[int, Sequence[_Row]]](_TABLES)

    @property
    def size(self) -> int:
        """How many offers it holds, whatever for."""
        relaxed = 0 if self.relaxed is None else self.relaxed.size
        return len(self.offers) + len(self.unpriced) + len(self.excluded) + relaxed

    def by_cost(
        self, request: Request, kind: Kind, *, forecast: Forecast, cached: float = 0.0
    ) -> Iterator[tuple[float, Priced]]:
        """Each offer with what it costs for this request by list price, roughly and in msat, the cheapest first.

        `cached` is the share of the prompt that caches will serve. Tiers are left out, limits and shares are rounded,
        and the forecast may be a little out of date, so that a pool of hundreds costs microseconds.
        """
        limit, times = request.max_output, min(max(1, request.choices), _ENDLESS)
        digits = _UNLIMITED if limit is None else min(max(0, limit).bit_length(), _UNLIMITED)
        table = self._table(_Shape(kind, round(cached, 1), digits, times), forecast)
        size, offers = float(request.body.size), self.offers
        costs = [size * per_byte + rest for per_byte, rest in table]
        return ((costs[index], offers[index]) for index in sorted(range(len(costs)), key=costs.__getitem__))

    def _table(self, shape: _Shape, forecast: Forecast) -> Sequence[_Row]:
        version, table = self._tables.get(shape, (-_STALE, ()))
        if forecast.version - version >= _STALE:
            models = {each.offer.model for each in self.offers}
            rates = {model: forecast.rates(model, shape.kind) for model in models}
            table = [_row(price, shape, rates=rates[offer.model]) for offer, price in self.offers]
            self._tables.put(shape, (forecast.version, table))
        return table


class Pools:
    """All pools of one catalog, made when they are asked for."""

    def __init__(self, catalog: Catalog, lessons: Lessons, *, allow_unpriced: bool = False) -> None:
        """`lessons` correct what providers say of their offers; tell `forget` when there are new ones."""
        self.catalog = catalog
        self._lessons = lessons
        self._allow_unpriced = allow_unpriced
        self._memo: dict[tuple[str, Applied, frozenset[Ability]], Pool] = {}
        self._held = 0

    def forget(self) -> None:
        """Something was learnt about an offer."""
        self._memo.clear()
        self._held = 0

    def find(self, asked: str, applied: Applied, *, needs: frozenset[Ability]) -> Pool:
        """The pool for who asks for this; `UnknownModel`, with near misses, if nobody offers it at all."""
        key = (asked, applied, needs)
        pool = self._memo.get(key)
        if pool is None:
            pool = self._make(asked, applied, needs=needs)
            self._held += pool.size
            if self._held > _HELD:
                self._memo.clear()
                self._held = pool.size
            self._memo[key] = pool
        return pool

    def _make(self, asked: str, applied: Applied, *, needs: frozenset[Ability]) -> Pool:
        offers = self.catalog.find(asked)
        if not offers:
            raise _unknown(asked, self.catalog)
        relaxed = self._make(asked, applied.without_advice(), needs=needs) if applied.advisory else None
        without_price = self._without_price(applied)
        kept: list[Priced] = []
        unpriced: list[Offer] = []
        excluded: list[Exclusion] = []
        for listed in offers:
            offer = self._lessons.apply(listed)
            reason = _reason(offer, applied, needs=needs)
            if reason is None and offer.price is None:
                reason = without_price
            if reason is not None:
                excluded.append(Exclusion(offer, reason))
            elif offer.price is None:
                unpriced.append(offer)
            else:
                kept.append(Priced(offer, offer.price))
        return Pool(asked, _pruned(kept), unpriced=unpriced, excluded=excluded, applied=applied, relaxed=relaxed)

    def _without_price(self, applied: Applied) -> Reason | None:
        """Why an offer whose price is not known can't be used, if it can't."""
        if not self._allow_unpriced:
            return _UNPRICED
        return _LIMITED if _limits_cost(applied) else None


def _row(price: Price, shape: _Shape, *, rates: tuple[float, float]) -> _Row:
    """At so many tokens for each byte of the body, and in an answer that nothing cuts off."""
    per_byte, answer = rates
    saved = 0 if price.cache_read is None else price.input - price.cache_read
    limit = 0.75 * 2.0**shape.limit  # The middle of what has so many digits.
    written = shape.times * min(answer, limit) * price.output
    return (price.input - shape.cached * saved) * per_byte / PER_MTOK, price.base_fee + written / PER_MTOK


_UNPRICED: Final = Reason("unpriced", "its price is not known: configure one, or set `allow_unpriced`")
_LIMITED: Final = Reason("unpriced", "its price is not known, and a policy sets a limit")


def _limits_cost(applied: Applied) -> bool:
    """What costs nobody knows how much can't be held to that."""
    policies = (*applied.binding, *applied.advisory)
    return applied.max_msat_per_call is not None or any(each.max_output_msat_per_mtok is not None for each in policies)


def _reason(offer: Offer, applied: Applied, *, needs: frozenset[Ability]) -> Reason | None:
    for policy in (*applied.binding, *applied.advisory):
        reason = exclusion(policy, offer)
        if reason is not None:
            return reason
    missing = needs & offer.capabilities.lacks
    if not missing:
        return None
    name = min(ability.value for ability in missing)
    return Reason(f"lacks_{name}", f"it can't do what the call needs: {name}")


def _pruned(offers: Sequence[Priced]) -> Sequence[Priced]:
    """All of them, or of too many those that are the cheapest for calls of some shape, in the same order."""
    if len(offers) <= _MANY:
        return offers
    kept: set[int] = set()
    for tokens_in, cached, tokens_out in _SHAPES:
        costs = [
            cost_of(each.price, tokens_in, cached=cached, tokens_out=tokens_out, is_written=False) for each in offers
        ]
        cheapest: dict[str, int] = {}
        for index, each in enumerate(offers):
            provider = each.offer.provider
            if costs[index] < costs[cheapest.setdefault(provider, index)]:
                cheapest[provider] = index
        kept.update(nsmallest(_KEPT, range(len(offers)), key=costs.__getitem__))
        kept.update(nsmallest(_PROVIDERS, cheapest.values(), key=costs.__getitem__))
    return tuple(offers[index] for index in sorted(kept))


def _unknown(name: str, catalog: Catalog) -> UnknownModel:
    near = near_misses(name, (*catalog.models, *catalog.virtual))
    meant = " or ".join(f"`{each}`" for each in near)
    shown = name if len(name) <= 100 else name[:100] + "…"
    return UnknownModel(
        f"No offer for the model `{shown}`.",
        param="model",
        hint=f"Did you mean {meant}? GET /v1/models lists what is offered." if near else None,
    )
