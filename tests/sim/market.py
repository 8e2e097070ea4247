"""A market of fifty providers: what they quote, what they charge in truth, and what comes of each attempt at them.

All of it is drawn from a seed before anybody asks for anything, and what
comes of an attempt depends on nothing but offer, time, call and number of the
attempt. So whoever goes through the same traffic meets the same world.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

from satisfice.catalog.offers import Offer
from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.core.clock import ManualClock
from tests.sim.chance import Luck
from tests.sim.sellers import Seller, quotes, sellers
from tests.sim.traffic import Ask
from tests.sim.weather import Sky, Window, weather

__all__ = ["PATIENCE", "Fate", "How", "Market", "Outage", "Quote"]

PATIENCE: Final = 90.0
"""Seconds after which nobody waits for an answer any longer."""

_TICK: Final = 10.0
"""Seconds from one moment at which there may be new quotes to the next."""
_HICCUPS: Final = 0.002
"""The share of calls that fail in the best of times."""
_SLOWNESS: Final = 5.0
_MOST_WAIT: Final = 30
"""Seconds that who has too much to do wants to be left alone."""


class How(Enum):
    """How an attempt ends."""

    ANSWERED = auto()
    REFUSED = auto()
    FAILED = auto()
    LIMITED = auto()
    STALLED = auto()


class Fate(msgspec.Struct, frozen=True, gc=False):
    """What comes of an attempt."""

    how: How
    seconds: float
    """Until it is known."""
    charged: Msat = Msat(0)
    retry_after: int = 0


class Outage(NamedTuple):
    """When all who sell a model are down; None: everybody is."""

    window: Window
    model: str | None = None


class Quote(NamedTuple):
    """The price of an offer, in msat per million."""

    place: int
    factor: float
    """What is charged, as a share of it."""
    fee: int
    """Of calls."""
    input: int
    output: int


class _Stand(NamedTuple):
    """One offer, whatever it costs at the moment."""

    seller: Seller
    model: str


class Market:
    """Sellers, their offers over time, and their weather. Offers are told apart by their place among all of them."""

    def __init__(self, clock: ManualClock, seconds: float, *, outages: Sequence[Outage]) -> None:
        """Draw all that will happen in so many seconds, besides these outages."""
        self._outages = outages
        self._luck = Luck(clock)
        everybody = sellers(clock)
        self._offers = list(quotes(everybody, clock, times=[tick * _TICK for tick in range(int(seconds / _TICK) + 1)]))
        by_name = {seller.name: seller for seller in everybody}
        self._stands = [_Stand(by_name[offer.provider], offer.model) for offer in self._offers[0]]
        self._places = {(seller.name, model): place for place, (seller, model) in enumerate(self._stands)}
        self._by_model = {
            model: tuple(place for place, stand in enumerate(self._stands) if stand.model == model)
            for model in {stand.model for stand in self._stands}
        }
        self._quotes: dict[str, tuple[tuple[Offer, ...], Sequence[Quote]]] = {}
        self._weather = [
            weather(clock, seconds, outages=[window for window, model in outages if self._sells(seller, model)])
            for seller in everybody
        ]

    def offers(self, time: float) -> tuple[Offer, ...]:
        """All offers at the prices quoted at this moment; it is the same tuple while no quote is new."""
        return self._offers[min(int(time / _TICK), len(self._offers) - 1)]

    def places(self, model: str) -> tuple[int, ...]:
        """The places of a model's offers."""
        return self._by_model[model]

    def place(self, provider: str, model: str) -> int:
        """The place of this offer."""
        return self._places[provider, model]

    def quotes(self, model: str, time: float) -> Sequence[Quote]:
        """What a model's offers are quoted at at this moment."""
        offers = self.offers(time)
        known = self._quotes.get(model)
        if known is None or known[0] is not offers:
            known = self._quotes[model] = (offers, [self._quote(place, offers[place]) for place in self.places(model)])
        return known[1]

    def seller(self, place: int) -> Seller:
        """Whose offer that is."""
        return self._stands[place].seller

    def outage(self, model: str, time: float) -> Window | None:
        """The outage of all who sell this model at this moment; None: there is none."""
        return next((window for window, of in self._outages if of in {None, model} and window.has(time)), None)

    def is_up(self, place: int, time: float) -> bool:
        """It answers most calls."""
        return self._sky(place, time) in {Sky.CLEAR, Sky.BROWN}

    def is_well(self, place: int, time: float) -> bool:
        """It answers all but very few calls, and as fast as ever."""
        return self._sky(place, time) is Sky.CLEAR

    def charge(self, place: int, time: float, *, tokens_in: int, tokens_out: int) -> Msat:
        """What it takes for so many tokens, whatever it quotes."""
        price = self.offers(time)[place].price
        assert price is not None
        quoted = price.base_fee + -(-tokens_in * price.input // PER_MTOK) + -(-tokens_out * price.output // PER_MTOK)
        return Msat(round(quoted * self.seller(place).factor))

    def fate(self, place: int, time: float, *, ask: Ask, attempt: int) -> Fate:
        """What comes of asking there at this moment."""
        seller = self.seller(place)
        spell = self._weather[seller.number].at(time)
        chance = self._luck.chance(seller.number, ask.number, attempt)
        match spell.sky:
            case Sky.CLEAR if chance < _HICCUPS:
                return _FAILED
            case Sky.CLEAR:
                return self._served(place, time, ask=ask, attempt=attempt)
            case Sky.REFUSING:
                return _REFUSED
            case Sky.FAILING:
                return _FAILED
            case Sky.LIMITED:
                return Fate(How.LIMITED, 0.05, retry_after=min(_MOST_WAIT, math.ceil(spell.end - time)))
            case Sky.BROWN if chance < 1 / 6:
                return _FAILED
            case Sky.BROWN if chance < 1 / 3:
                charged = self.charge(place, time, tokens_in=ask.tokens_in, tokens_out=0)
                return Fate(How.STALLED, PATIENCE, charged)
            case Sky.BROWN:
                return self._served(place, time, ask=ask, attempt=attempt, slowness=_SLOWNESS)

    def _quote(self, place: int, offer: Offer) -> Quote:
        price = offer.price
        assert price is not None
        return Quote(place, self.seller(place).factor, price.base_fee * PER_MTOK, price.input, price.output)

    def _sky(self, place: int, time: float) -> Sky:
        return self._weather[self.seller(place).number].at(time).sky

    def _sells(self, seller: Seller, model: str | None) -> bool:
        return model is None or (seller.name, model) in self._places

    def _served(self, place: int, time: float, *, ask: Ask, attempt: int, slowness: float = 1.0) -> Fate:
        """Its answer, charged for even if it comes too late."""
        seller = self.seller(place)
        wait = seller.wait * math.exp(0.4 * self._luck.normal(seller.number, ask.number, attempt))
        seconds = slowness * (wait + ask.tokens_out / seller.pace)
        charged = self.charge(place, time, tokens_in=ask.tokens_in, tokens_out=ask.tokens_out)
        return Fate(How.ANSWERED, seconds, charged) if seconds < PATIENCE else Fate(How.STALLED, PATIENCE, charged)


_REFUSED: Final = Fate(How.REFUSED, 0.01)
_FAILED: Final = Fate(How.FAILED, 0.2)
