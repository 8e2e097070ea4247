"""Other ways to choose, on the same traffic: an oracle, and what is common elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from satisfice.config.schema import RoutingConfig
from tests.sim.books import Books
from tests.sim.market import How, Market
from tests.sim.traffic import Ask

__all__ = ["cheapest_listed", "oracle", "round_robin"]


def oracle(market: Market, asks: Sequence[Ask]) -> Books:
    """Knows what every attempt will come to, and makes the one that succeeds and costs the least.

    A call that comes while everybody is down it serves when that is over.
    """
    books = Books(len(asks))
    for ask in asks:
        time = market.all_down.end if market.all_down.has(ask.at) else ask.at
        fates = ((place, market.fate(place, time, ask=ask, attempt=0)) for place in _by_true_cost(market, ask, time))
        place, fate = next((place, fate) for place, fate in fates if fate.how is How.ANSWERED)
        books.note(ask.number, place, fate=fate)
        books.seconds[ask.number] = time - ask.at + fate.seconds
    return books


def cheapest_listed(market: Market, asks: Sequence[Ask]) -> Books:
    """The lowest quote first, and down the list from there; nothing is remembered, nothing waited for."""
    books = Books(len(asks))
    for ask in asks:
        _retry(market, ask, _by_quote(market, ask, ask.at), books=books)
    return books


def round_robin(market: Market, asks: Sequence[Ask]) -> Books:
    """One offer after the other, whatever it costs."""
    books = Books(len(asks))
    turns = dict.fromkeys({ask.model for ask in asks}, 0)
    for ask in asks:
        places = market.places(ask.model)
        start = turns[ask.model] % len(places)
        turns[ask.model] += 1
        _retry(market, ask, (*places[start:], *places[:start]), books=books)
    return books


def _retry(market: Market, ask: Ask, places: Iterable[int], *, books: Books) -> None:
    """Try one after the other, as often as the gateway would."""
    time = ask.at
    for attempt, place in enumerate(islice(places, RoutingConfig().max_attempts)):
        fate = market.fate(place, time, ask=ask, attempt=attempt)
        books.note(ask.number, place, fate=fate)
        time += fate.seconds
        if fate.how is How.ANSWERED:
            break
    books.seconds[ask.number] = time - ask.at


def _by_true_cost(market: Market, ask: Ask, time: float) -> list[int]:
    costs = _quoted(market, ask, time)
    return sorted(costs, key=lambda place: costs[place] * market.seller(place).factor)


def _by_quote(market: Market, ask: Ask, time: float) -> list[int]:
    costs = _quoted(market, ask, time)
    return sorted(costs, key=costs.__getitem__)


def _quoted(market: Market, ask: Ask, time: float) -> dict[int, int]:
    """What each offer would cost by its quote, in millionths of an msat; how long the answer will be is known here."""
    offers, usage = market.offers(time), ask.usage
    costs = {}
    for place in market.places(ask.model):
        price = offers[place].price
        assert price is not None
        costs[place] = price.base_fee * 1_000_000 + usage.input * price.input + usage.output * price.output
    return costs
