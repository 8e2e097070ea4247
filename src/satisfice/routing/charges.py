"""What providers really charge, as a share of what their quoted prices come to.

Some charge more than they quote: by a minimum, by counting tokens in their
favour, or without shame. Each call tells; the factor by which an offer departs
from its price is the ratio of what calls were charged to what they should have
cost, newer calls counting more. Time alone mends no reputation, for an offer
that is not used proves nothing; a new price does in part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec

from satisfice.catalog.offers import Offer, OfferId, Price
from satisfice.core.amounts import MSAT_PER_BTC, PER_MTOK, Msat
from satisfice.routing.fading import Ratio
from satisfice.routing.recent import Recent

__all__ = ["Charges", "ChargesSnapshot"]

_OFFERS: Final = 8_192
"""Offers remembered: those that were charged for last."""
_FADE: Final = 0.95
_PRIOR: Final = 3.0
"""Calls, such as the first one, that what it begins with is worth: as a rule that it keeps to its price."""
_LEAST: Final = 0.5
_MOST: Final = 20.0
"""Bounds of the factor."""
_JUMP: Final = 4.0
"""One charge counts as at most so many times what the offer was known for: twice is habit, once may be a mistake."""
_NOTABLE: Final = 0.02
"""What departs by less is taken at its word."""
_MOVED: Final = 0.1
"""A price that moved by more than this share is a new one; what drifts by less must not wash a provider clean."""
_ALL_MONEY: Final = 21_000_000 * MSAT_PER_BTC
_TYPICAL_IN: Final = 1_000
_TYPICAL_OUT: Final = 300
"""Tokens of the call by which two prices are compared."""

_Factor = Annotated[float, msgspec.Meta(ge=_LEAST, le=_MOST)]


class ChargesSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt, to be kept over a restart."""

    offers: Mapping[OfferId, tuple[_Factor, Price]] = msgspec.field(default_factory=dict)
    """What each offer charged as a share of the price it had then."""


class _Record(NamedTuple):
    price: Price
    factor: float
    """Of the charges to the price, within the bounds."""
    ratio: Ratio | None = None
    """What it is made of; None: it is only what to begin with."""


class Charges:
    """What offers charge in truth."""

    __slots__ = ("_factors", "_records", "factors")

    def __init__(self) -> None:
        """Everybody is honest until shown otherwise."""
        self._records = Recent[OfferId, _Record](_OFFERS)
        self._factors: dict[OfferId, float] = {}
        self.factors: Mapping[OfferId, float] = self._factors
        """The factors of those offers alone that depart from their price, for who has to look up many."""

    def factor(self, offer: OfferId) -> float:
        """What the offer charges as a share of its price, between 0.5 and 20; 1 if nothing speaks against it."""
        return self._factors.get(offer, 1.0)

    def note(self, offer: Offer, *, expected: Msat, charged: Msat) -> None:
        """A call at this offer was charged so much; by the price quoted for it then it should have cost `expected`.

        A call that should have cost nothing tells no factor, nor does one that should have cost more than there is; an
        offer without a price has nothing to depart from.
        """
        price = offer.price
        if price is None or not 0 < expected < _ALL_MONEY:
            return
        known = self._records.get(offer.id)
        record = _Record(price, 1.0) if known is None else _requoted(known, price)
        begin = _PRIOR * expected
        ratio = record.ratio or Ratio(begin * record.factor, begin, fade=_FADE)
        ratio.add(min(max(0, charged), _JUMP * max(1.0, record.factor) * expected), expected)
        self._put(offer.id, _Record(price, min(max(_LEAST, ratio.value), _MOST), ratio))

    def requote(self, offers: Iterable[Offer]) -> None:
        """These are the offers now: whoever names a new price is judged anew, if not quite without memory."""
        for offer in offers:
            record = self._records.get(offer.id)
            if record is not None and offer.price is not None:
                self._records[offer.id] = _requoted(record, offer.price)
                self._tell(offer.id)

    def snapshot(self) -> ChargesSnapshot:
        """What was learnt."""
        return ChargesSnapshot(offers={id_: (record.factor, record.price) for id_, record in self._records.items()})

    def restore(self, snapshot: ChargesSnapshot) -> None:
        """Go on from what was learnt before; `requote` tells what prices have become since."""
        for id_, (factor, price) in snapshot.offers.items():
            self._put(id_, _Record(price, factor))

    def _put(self, offer: OfferId, record: _Record) -> None:
        forgotten = self._records.put(offer, record)
        if forgotten is not None:
            self._factors.pop(forgotten, None)
        self._tell(offer)

    def _tell(self, offer: OfferId) -> None:
        factor = self._records[offer].factor
        if abs(factor - 1.0) > _NOTABLE:
            self._factors[offer] = factor
        else:
            self._factors.pop(offer, None)


def _requoted(record: _Record, price: Price) -> _Record:
    """What is known of an offer, now that this is its price: half of it, on a logarithmic scale, if that is new."""
    old, new = _level(record.price), _level(price)
    if abs(new - old) <= _MOVED * old:
        return record._replace(price=price)
    return _Record(price, math.sqrt(record.factor))


def _level(price: Price) -> int:
    return _TYPICAL_IN * price.input + _TYPICAL_OUT * price.output + price.base_fee * PER_MTOK
