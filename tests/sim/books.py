"""What came of a simulated traffic, call by call, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.sim.market import Fate, How, Market
from tests.sim.traffic import Ask

__all__ = ["Books", "Sum", "add_up"]


class Books:
    """The fates of all calls under one way to choose."""

    def __init__(self, calls: int) -> None:
        """No call has come yet."""
        self.served = [False] * calls
        self.attempts = [0] * calls
        self.charged = [0] * calls
        """In msat, for all attempts of a call."""
        self.seconds = [0.0] * calls
        self.places = [-1] * calls
        """Where a call was sent last."""

    def note(self, call: int, place: int, *, fate: Fate) -> None:
        """An attempt has ended."""
        self.attempts[call] += 1
        self.charged[call] += fate.charged
        self.places[call] = place
        self.served[call] = fate.how is How.ANSWERED

    def cut(self, call: int, *, fate: Fate) -> None:
        """An attempt was given up for another one; its answer is charged all the same."""
        self.attempts[call] += 1
        self.charged[call] += fate.charged


class Sum(NamedTuple):
    """What a way to choose comes to."""

    cost: int
    """In msat, for everything that was charged."""
    excess: float
    """The share by which that is more than what the oracle pays for the calls that were answered."""
    success: float
    """The share of calls answered, of those that came while at least one honest offer was up."""
    attempts_when_down: float
    """Attempts a call while nobody is up."""
    lied_to: float
    """The share of the answered calls that went to who charges more than it quotes."""
    median: float
    """Seconds of a call that is answered; nineteen of twenty take less than `slow`."""
    slow: float


def add_up(books: Books, oracle: Books, market: Market, *, asks: Sequence[Ask]) -> Sum:
    """The sums of these books."""
    answered = [ask.number for ask in asks if books.served[ask.number]]
    up = [ask.number for ask in asks if _is_anybody_up(market, ask)]
    down = [ask.number for ask in asks if market.outage(ask.model, ask.at)]
    cost = sum(books.charged)
    seconds = sorted(books.seconds[number] for number in answered)
    return Sum(
        cost,
        cost / sum(oracle.charged[number] for number in answered) - 1.0,
        sum(books.served[number] for number in up) / len(up),
        sum(books.attempts[number] for number in down) / len(down),
        sum(not market.seller(books.places[number]).is_honest for number in answered) / len(answered),
        seconds[len(seconds) // 2],
        seconds[len(seconds) * 19 // 20],
    )


def _is_anybody_up(market: Market, ask: Ask) -> bool:
    """An honest offer of what is asked for is up when the call comes."""
    return any(market.seller(place).is_honest and market.is_up(place, ask.at) for place in market.places(ask.model))
