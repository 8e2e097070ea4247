"""A market of fifty providers: what they quote, what they charge in truth, and what comes of each attempt at them.

All of it is drawn from a seed before anybody asks for anything, and what
comes of an attempt depends on nothing but provider, time, call and number of
the attempt. So whoever goes through the same traffic meets the same world.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate, Usage
from satisfice.core.clock import ManualClock
from tests.sim.chance import Luck, lognormal
from tests.sim.traffic import Ask
from tests.sim.weather import Sky, Window, forecast

__all__ = ["PATIENCE", "Fate", "How", "Market", "Seller", "Telling"]

PROVIDERS: Final = 50
LIARS: Final = 5
PATIENCE: Final = 90.0
"""Seconds after which nobody waits for an answer any longer."""
TICK: Final = 5.0
"""Seconds from one moment at which there may be new quotes to the next."""

_QUOTE_EVERY: Final = 120.0
_DRIFT: Final = 0.02
"""Deviation of the logarithm of a price from one quote to the next."""
_LEVELS: Final = (("swift", 1_000_000, 4_000_000, 1.0), ("sage", 3_000_000, 15_000_000, 0.7))
"""Models, with the rates around which their prices begin and the share of providers who sell them."""
_WANT_FEE: Final = 5
_FEE: Final = 100
_HICCUPS: Final = 0.002
"""The share of calls that fail in the best of times."""


class Telling(Enum):
    """How a provider tells what it has charged."""

    NOT = auto()
    AS_WE_DO = auto()
    AS_ROUTSTR = auto()


class Seller(NamedTuple):
    """A provider."""

    number: int
    name: str
    factor: float
    """What it charges, as a share of what it quotes."""
    telling: Telling
    wait: float
    """Median seconds until it begins to answer."""
    pace: float
    """Tokens a second."""


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


class Market:
    """Sellers, their offers over time, and their weather."""

    def __init__(self, clock: ManualClock, seconds: float, *, all_down: Window) -> None:
        """Draw all that will happen in so many seconds."""
        self.all_down = all_down
        self._luck = Luck(clock)
        self.sellers = tuple(_seller(number, clock) for number in range(PROVIDERS))
        self._weather = [forecast(clock, seconds, all_down=all_down) for _ in self.sellers]
        self._offers = list(_quotes(self.sellers, clock, ticks=int(seconds / TICK) + 2))
        first = self._offers[0]
        numbers = {seller.name: seller.number for seller in self.sellers}
        self._seller_of = [self.sellers[numbers[offer.provider]] for offer in first]
        self.places = {(offer.provider, offer.upstream_model): place for place, offer in enumerate(first)}
        """Where an offer stands among `offers`, by provider and model."""
        self.selling = {
            model: tuple(place for place, offer in enumerate(first) if offer.model == model) for model, *_ in _LEVELS
        }
        """The places of a model's offers."""

    def offers(self, time: float) -> tuple[Offer, ...]:
        """All offers at the prices quoted at this moment; while no quote is new it is the same object."""
        return self._offers[min(int(time / TICK), len(self._offers) - 1)]

    def seller(self, place: int) -> Seller:
        """Whose offer that is."""
        return self._seller_of[place]

    def is_up(self, place: int, time: float) -> bool:
        """It answers most calls."""
        return self._weather[self._seller_of[place].number].at(time).sky in {Sky.CLEAR, Sky.BROWN}

    def charge(self, place: int, time: float, *, usage: Usage) -> Msat:
        """What it takes for this usage."""
        price = self.offers(time)[place].price
        assert price is not None
        return Msat(round(price.cost(usage) * self._seller_of[place].factor))

    def fate(self, place: int, time: float, *, ask: Ask, attempt: int) -> Fate:
        """What comes of asking there now."""
        seller = self._seller_of[place]
        spell = self._weather[seller.number].at(time)
        sky = spell.sky
        chance = self._luck.chance(seller.number, ask.number, attempt)
        if sky is Sky.CLEAR:
            return self._served(place, time, ask=ask, attempt=attempt) if chance >= _HICCUPS else _FAILED
        if sky is Sky.REFUSING:
            return _REFUSED
        if sky is Sky.FAILING:
            return _FAILED
        if sky is Sky.LIMITED:
            return Fate(How.LIMITED, 0.05, retry_after=min(30, math.ceil(spell.end - time)))
        if chance < 1 / 6:
            return Fate(How.FAILED, 2.0)
        if chance < 1 / 3:
            return Fate(How.STALLED, PATIENCE, self.charge(place, time, usage=Usage(uncached=ask.tokens_in)))
        return self._served(place, time, ask=ask, attempt=attempt, slowness=5.0)

    def _served(self, place: int, time: float, *, ask: Ask, attempt: int, slowness: float = 1.0) -> Fate:
        seller = self._seller_of[place]
        wait = seller.wait * math.exp(0.4 * self._luck.normal(seller.number, ask.number, attempt))
        seconds = slowness * (wait + ask.tokens_out / seller.pace)
        charged = self.charge(place, time, usage=ask.usage)
        return Fate(How.ANSWERED, seconds, charged) if seconds < PATIENCE else Fate(How.STALLED, PATIENCE, charged)


_REFUSED: Final = Fate(How.REFUSED, 0.01)
_FAILED: Final = Fate(How.FAILED, 0.2)


def _seller(number: int, clock: ManualClock) -> Seller:
    is_liar = number % (PROVIDERS // LIARS) == 3
    return Seller(
        number,
        f"provider-{number:02}",
        2.0 + 2.0 * clock.chance() if is_liar else 1.0,
        Telling.AS_WE_DO if is_liar else list(Telling)[number % 3],
        lognormal(clock, 0.8, spread=0.4),
        lognormal(clock, 140.0, spread=0.15),
    )


def _quotes(sellers: Sequence[Seller], clock: ManualClock, *, ticks: int) -> Iterator[tuple[Offer, ...]]:
    """The offers tick by tick."""
    rows = [row for seller in sellers for row in _begin(seller, clock)]
    offers = [_offer(row) for row in rows]
    due = [clock.chance() * _QUOTE_EVERY for _ in sellers]
    now = tuple(offers)
    for tick in range(ticks):
        is_new = False
        for place, row in enumerate(rows):
            if due[row.seller.number] <= tick * TICK:
                row.level *= lognormal(clock, 1.0, spread=_DRIFT)
                offers[place] = _offer(row)
                is_new = True
        for number, at in enumerate(due):
            if at <= tick * TICK:
                due[number] += _QUOTE_EVERY * (0.75 + 0.5 * clock.chance())
        now = tuple(offers) if is_new else now
        yield now


class _Row:
    """One seller's price of one model, as it moves."""

    __slots__ = ("fee", "input", "level", "model", "output", "seller")

    def __init__(self, seller: Seller, model: str, rates: tuple[float, float], *, level: float, fee: int) -> None:
        self.seller = seller
        self.model = model
        self.input, self.output = rates
        self.level = level
        self.fee = fee


def _begin(seller: Seller, clock: ManualClock) -> Iterator[_Row]:
    level = lognormal(clock, 1.0, spread=0.25) / seller.factor
    fee = _FEE if seller.number % _WANT_FEE == 0 else 0
    for model, input_rate, output_rate, share in _LEVELS:
        slant = lognormal(clock, 1.0, spread=0.1)
        if seller.number < share * PROVIDERS:
            yield _Row(seller, model, (input_rate / slant, output_rate * slant), level=level, fee=fee)


def _offer(row: _Row) -> Offer:
    price = Price(
        input=Rate(round(row.input * row.level)), output=Rate(round(row.output * row.level)), base_fee=Msat(row.fee)
    )
    return Offer(provider=row.seller.name, model=ModelId(row.model), upstream_model=row.model, price=price)
