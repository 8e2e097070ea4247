"""Other ways to choose, on the same traffic: what can't be known, and what is common elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from satisfice.config.schema import RoutingConfig
from tests.sim.books import Books
from tests.sim.market import How, Market
from tests.sim.traffic import Ask

__all__ = ["cheapest_listed", "clairvoyant", "oracle", "round_robin"]


def oracle(market: Market, asks: Sequence[Ask]) -> Books:
    """Knows who is well and what everybody charges in truth, and asks whoever of those costs the least.

    A call that comes while nobody is up it serves when that is over.
    """
    return _by_knowing(market, asks, market.is_well)


def clairvoyant(market: Market, asks: Sequence[Ask]) -> Books:
    """Knows besides which attempts will succeed at those that are not well."""
    return _by_knowing(market, asks, lambda _place, _time: True)


def _by_knowing(market: Market, asks: Sequence[Ask], is_asked: Callable[[int, float], bool]) -> Books:
    books = Books(len(asks))
    for ask in asks:
        outage = market.outage(ask.model, ask.at)
        time = ask.at if outage is None else outage.end
        for place in _by_true_cost(market, ask, time):
            fate = market.fate(place, time, ask=ask, attempt=0)
            if fate.how is How.ANSWERED and is_asked(place, time):
                books.note(ask.number, place, fate=fate)
                books.seconds[ask.number] = time - ask.at + fate.seconds
                break
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
    """How long the answer will be is known here."""
    tokens_in, tokens_out = ask.tokens_in, ask.tokens_out
    costs = [
        (factor * (fee + tokens_in * rate_in + tokens_out * rate_out), place)
        for place, factor, fee, rate_in, rate_out in market.quotes(ask.model, time)
    ]
    return [place for _, place in sorted(costs)]


def _by_quote(market: Market, ask: Ask, time: float) -> list[int]:
    """And here, too, which real gateways can only guess."""
    tokens_in, tokens_out = ask.tokens_in, ask.tokens_out
    costs = [
        (fee + tokens_in * rate_in + tokens_out * rate_out, place)
        for place, _, fee, rate_in, rate_out in market.quotes(ask.model, time)
    ]
    return [place for _, place in sorted(costs)]
