"""The offers that one kind of request may have, by all that does not change from call to call.

What a caller asks for, the policies that apply and the abilities that are
needed sort most offers out in the same way each time. That is done once for a
catalog and kept; a call is left with what moves: prompt, caches and health.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from satisfice.catalog.lessons import Lessons
from satisfice.catalog.model import AUTO, near_misses
from satisfice.catalog.offers import Catalog, Offer, OfferId, Price
from satisfice.core.amounts import PER_MTOK
from satisfice.core.errors import UnknownModel
from satisfice.routing.forecast import Forecast, Kind
from satisfice.routing.policy import Applied, exclusion
from satisfice.routing.reasons import Exclusion, Reason
from satisfice.wire.request import Ability, Request

__all__ = ["Pool", "Pools", "Priced"]

_FEW: Final = 32
"""Of so many offers each is looked at; of more, only those that may be among the first."""
_MANY: Final = 1_000
"""Of more offers than this only the cheapest by list price are kept, for several shapes of a call."""
_KEPT: Final = 250
_SHAPES: Final = ((1_000, 0), (1_000, 50), (1_000, 300), (1_000, 1_000), (100, 1_000), (0, 0))
"""Tokens in and out of the calls that these are the cheapest for; the last one compares base fees."""
_STALE: Final = 512
"""Lessons of the forecast after which a pool's order is computed anew."""
_MEMO: Final = 4_096
"""Pools kept; callers who make up names can't fill more."""


class Priced(NamedTuple):
    """An offer whose price is known."""

    offer: Offer
    price: Price


class Pool:
    """Offers that qualify for a kind of request, and why the others don't."""

    __slots__ = ("_by_id", "_rows", "applied", "asked", "excluded", "offers", "relaxed", "unpriced")

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
        self.unpriced = unpriced
        """Those that may be used when none with a price is left."""
        self.excluded = excluded
        self.applied = applied
        self.relaxed = relaxed
        self._by_id = {each.offer.id: each for each in offers}
        self._rows: dict[Kind, tuple[int, list[tuple[float, float, float]]]] = {}

    def cheapest_first(
        self, request: Request, kind: Kind, *, forecast: Forecast, first: Iterable[OfferId] = ()
    ) -> Iterable[Priced]:
        """The offers, roughly by list price for this request; `first` are those that may cost less than that."""
        if len(self.offers) <= _FEW:
            return self.offers
        size = request.body.size
        share = request.choices * self._share(request, kind, forecast)
        costs = [fee + size * per_byte + share * answer for per_byte, answer, fee in self._weights(kind, forecast)]
        order = sorted(range(len(costs)), key=costs.__getitem__)
        return self._in_order(order, first)

    def _in_order(self, order: Iterable[int], first: Iterable[OfferId]) -> Iterator[Priced]:
        known = {id_: self._by_id[id_] for id_ in first if id_ in self._by_id}
        yield from known.values()
        offers = self.offers
        for index in order:
            if not known or offers[index].offer.id not in known:
                yield offers[index]

    def _share(self, request: Request, kind: Kind, forecast: Forecast) -> float:
        """How much of its usual answer the caller lets a model give."""
        limit = request.max_output
        if limit is None:
            return 1.0
        usual = forecast.rates(self.offers[0].offer.model, kind)[1]
        return min(1.0, max(0, limit) / usual) if usual else 1.0

    def _weights(self, kind: Kind, forecast: Forecast) -> list[tuple[float, float, float]]:
        """For each offer: msat per byte of the body, msat for a usual answer, msat for the call."""
        version, rows = self._rows.get(kind, (-_STALE, []))
        if forecast.version - version >= _STALE:
            by_model = {model: forecast.rates(model, kind) for model in {each.offer.model for each in self.offers}}
            rows = []
            for offer, price in self.offers:
                per_byte, answer = by_model[offer.model]
                rows.append(
                    (price.input * per_byte / PER_MTOK, price.output * answer / PER_MTOK, float(price.base_fee))
                )
            self._rows[kind] = (forecast.version, rows)
        return rows


class Pools:
    """All pools of one catalog, made when they are asked for."""

    def __init__(self, catalog: Catalog, lessons: Lessons, *, allow_unpriced: bool = False) -> None:
        """`lessons` correct what providers say of their offers; tell `forget` when there are new ones."""
        self.catalog = catalog
        self._lessons = lessons
        self._allow_unpriced = allow_unpriced
        self._memo: dict[tuple[str, Applied, frozenset[Ability]], Pool] = {}

    def forget(self) -> None:
        """Something was learnt about an offer."""
        self._memo.clear()

    def find(self, asked: str, applied: Applied, needs: frozenset[Ability]) -> Pool:
        """The pool for who asks for this; `UnknownModel`, with near misses, if nobody offers it at all."""
        key = (asked, applied, needs)
        pool = self._memo.get(key)
        if pool is None:
            pool = self._make(asked, applied, needs)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[key] = pool
        return pool

    def _make(self, asked: str, applied: Applied, needs: frozenset[Ability]) -> Pool:
        offers = self.catalog.find(asked)
        if not offers:
            raise _unknown(asked, self.catalog)
        relaxed = self._make(asked, applied.without_advice(), needs) if applied.advisory else None
        kept: list[Priced] = []
        unpriced: list[Offer] = []
        excluded: list[Exclusion] = []
        for listed in offers:
            offer = self._lessons.apply(listed)
            reason = _reason(offer, applied, needs)
            if reason is not None:
                excluded.append(Exclusion(offer, reason))
            elif offer.price is not None:
                kept.append(Priced(offer, offer.price))
            elif self._allow_unpriced and asked != AUTO:
                unpriced.append(offer)
            else:
                excluded.append(Exclusion(offer, _UNPRICED))
        return Pool(asked, _pruned(kept), unpriced=unpriced, excluded=excluded, applied=applied, relaxed=relaxed)


def _reason(offer: Offer, applied: Applied, needs: frozenset[Ability]) -> Reason | None:
    for policy in (*applied.binding, *applied.advisory):
        reason = exclusion(policy, offer)
        if reason is not None:
            return reason
    missing = needs & offer.capabilities.lacks if needs else needs
    for ability in missing:
        return Reason(f"lacks_{ability.value}", f"it can't do what the call needs: {ability.value}")
    return None


_UNPRICED: Final = Reason("unpriced", "its price is not known: configure one, or set `allow_unpriced`")


def _pruned(offers: Sequence[Priced]) -> Sequence[Priced]:
    """All of them, or of too many those that are the cheapest for calls of some shape."""
    if len(offers) <= _MANY:
        return offers
    kept: dict[OfferId, Priced] = {}
    for tokens_in, tokens_out in _SHAPES:

        def cost(each: Priced, tokens_in: int = tokens_in, tokens_out: int = tokens_out) -> int:
            price = each.price
            return price.base_fee * PER_MTOK + tokens_in * price.input + tokens_out * price.output

        kept |= {each.offer.id: each for each in sorted(offers, key=cost)[:_KEPT]}
    return tuple(kept.values())


def _unknown(name: str, catalog: Catalog) -> UnknownModel:
    near = near_misses(name, (*catalog.models, *catalog.virtual))
    meant = " or ".join(f"`{each}`" for each in near)
    shown = name if len(name) <= 100 else name[:100] + "…"
    return UnknownModel(
        f"No offer for the model `{shown}`.",
        param="model",
        hint=f"Did you mean {meant}? GET /v1/models lists what is offered." if near else None,
    )
