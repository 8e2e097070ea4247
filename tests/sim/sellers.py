"""Who sells in the simulated market, and what they quote: prices that drift, honest ones and lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate
from satisfice.core.clock import ManualClock
from tests.sim.chance import lognormal

__all__ = ["Seller", "Telling", "quotes", "sellers"]

_SELLERS: Final = 50
_LIARS: Final = 5
_QUOTE_EVERY: Final = 120.0
_DRIFT: Final = 0.03
"""Deviation of the logarithm of a price from one quote to the next."""
_FEE: Final = 50
"""Msat that one in five asks for the call itself."""
_LEVELS: Final = (
    ("swift", 500_000, 2_000_000),
    ("coder", 1_000_000, 4_000_000),
    ("scout", 800_000, 2_400_000),
    ("sage", 3_000_000, 15_000_000),
    ("muse", 2_500_000, 10_000_000),
)
"""Models, with the rates around which their prices begin. Each is sold by ten, and by some who sell another one too."""


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

    @property
    def is_honest(self) -> bool:
        """It charges what it quotes."""
        return self.factor == 1.0


def sellers(clock: ManualClock) -> tuple[Seller, ...]:
    """All of them; one in ten charges twice to four times what it quotes."""
    return tuple(_seller(number, clock) for number in range(_SELLERS))


def quotes(everybody: Sequence[Seller], clock: ManualClock, *, times: Sequence[float]) -> Iterator[tuple[Offer, ...]]:
    """All offers at each of these times; the same tuple while no quote is new."""
    rows = [row for seller in everybody for row in _rows(seller, clock)]
    offers = tuple(row.offer() for row in rows)
    due = [clock.chance() * _QUOTE_EVERY for _ in everybody]
    for time in times:
        new = {seller.number for seller in everybody if due[seller.number] <= time}
        for number in new:
            due[number] += _QUOTE_EVERY * (0.75 + 0.5 * clock.chance())
        if new:
            offers = tuple(
                row.moved(clock) if row.seller.number in new else offer for row, offer in zip(rows, offers, strict=True)
            )
        yield offers


def _seller(number: int, clock: ManualClock) -> Seller:
    is_liar = number % (_SELLERS // _LIARS) == 3
    return Seller(
        number,
        f"provider-{number:02}",
        2.0 + 2.0 * clock.chance() if is_liar else 1.0,
        Telling.AS_WE_DO if is_liar else tuple(Telling)[number % 3],
        lognormal(clock, 0.8, spread=0.4),
        lognormal(clock, 140.0, spread=0.15),
    )


class _Row:
    """One seller's quote for one model, as it moves."""

    __slots__ = ("_fee", "_input", "_level", "_model", "_output", "seller")

    def __init__(self, seller: Seller, model: str, rates: tuple[float, float], *, level: float) -> None:
        self.seller = seller
        self._model = ModelId(model)
        self._input, self._output = rates
        self._level = level
        self._fee = Msat(_FEE if seller.number % 5 == 0 else 0)

    def moved(self, clock: ManualClock) -> Offer:
        """The next quote."""
        self._level *= lognormal(clock, 1.0, spread=_DRIFT)
        return self.offer()

    def offer(self) -> Offer:
        """As it is quoted now."""
        price = Price(
            input=Rate(round(self._input * self._level)),
            output=Rate(round(self._output * self._level)),
            base_fee=self._fee,
        )
        return Offer(provider=self.seller.name, model=self._model, upstream_model=self._model, price=price)


def _rows(seller: Seller, clock: ManualClock) -> Iterator[_Row]:
    """What it sells. A liar is no dearer in truth than others, so what it quotes looks like a bargain."""
    level = lognormal(clock, 1.0, spread=0.25) / seller.factor
    for number, (model, input_rate, output_rate) in enumerate(_LEVELS):
        slant = lognormal(clock, 1.0, spread=0.1)
        if seller.number % len(_LEVELS) == number or seller.number % 23 == number:
            yield _Row(seller, model, (input_rate / slant, output_rate * slant), level=level)
