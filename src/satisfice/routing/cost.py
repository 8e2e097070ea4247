"""What an offer is expected to cost: this call, by its price and what its cache will serve, and the turns to come."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from satisfice.catalog.model import ModelId
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.health.book import HealthBook
from satisfice.routing.charges import Charges
from satisfice.routing.conversation import Conversations, Thread
from satisfice.routing.forecast import Expected, Forecast, kind_of
from satisfice.wire.request import Request

__all__ = [
    "Candidate",
    "Conditions",
    "Costs",
    "Estimate",
    "Turn",
    "cost_of",
    "estimate",
    "turn_to_come",
    "writes_cache",
]


class Conditions(msgspec.Struct, frozen=True, gc=False):
    """What a decision depends on besides the request and the pool. A decision changes none of it."""

    now: float
    """On the injected clock."""
    forecast: Forecast
    charges: Charges
    conversations: Conversations
    health: HealthBook
    chance: Callable[[], float]
    """Numbers in [0, 1), where a policy lets chance decide."""
    turn: int = 0
    """Which call this is, for who takes turns."""
    longest_wait: float = 10.0
    """Seconds that a call may wait for an offer that rests, if there is no other."""
    probe_wait: float = 3.0
    """Seconds that it may wait for another call's probe."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An offer that qualifies, with what it is expected to cost."""

    offer: Offer
    cost: Msat | None
    """For this call; None: its price is not known."""
    score: float = math.inf
    """What it is ranked by, the least first: msat a turn, or seconds where latency counts."""
    cached: int = 0
    """Tokens of the prompt that its cache is expected to serve."""
    factor: float = 1.0
    """What it has charged lately, as a share of its price."""
    ready: float = 0.0
    """Not before, on the injected clock."""
    is_probe: bool = False
    """It has failed lately, and this call would find out whether it is well again."""


class Estimate(NamedTuple):
    """What a call may cost, in msat."""

    expected: Msat
    low: Msat
    """One call in ten costs less."""
    high: Msat
    """One call in ten costs more."""
    most: Msat
    """It can't cost more: the answer is as long as it can be, and all input is billed at the dearest of its rates."""


class Turn(NamedTuple):
    """The prompt of a later call of the same conversation, in tokens."""

    input: int
    known: int
    """What of it has been read or written before, so that a cache may hold it."""


def cost_of(price: Price, tokens_in: int, *, cached: int, tokens_out: int, is_written: bool) -> int:
    """Msat for so many tokens, rounded up; `cached` of the input come from the provider's cache.

    `is_written`: the rest of the input is put into the cache, for which some providers ask more. A long prompt
    moves all of its tokens, and those of the answer, into another tier.
    """
    rates = price.at(tokens_in) if price.tiers else price
    fresh = rates.input
    if is_written and rates.cache_write is not None:
        fresh = rates.cache_write
    total = (tokens_in - cached) * fresh + tokens_out * rates.output
    if cached:
        total += cached * (rates.input if rates.cache_read is None else rates.cache_read)
    return price.base_fee - (-total // PER_MTOK)


def estimate(
    price: Price, expected: Expected, *, cached: int = 0, is_written: bool = False, factor: float = 1.0
) -> Estimate:
    """The cost with its interval; `factor` is what the provider charges in truth, as a share of its price."""

    def cost(tokens_out: int) -> Msat:
        exact = cost_of(price, expected.input, cached=cached, tokens_out=tokens_out, is_written=is_written)
        return Msat(round(factor * exact))

    rates = price.at(expected.input)
    dearest = max(rate for rate in (rates.input, rates.cache_read, rates.cache_write) if rate is not None)
    most = price.base_fee - (-(expected.input * dearest + expected.most * rates.output) // PER_MTOK)
    return Estimate(cost(expected.output), cost(expected.low), cost(expected.high), Msat(round(factor * most)))


def writes_cache(thread: Thread) -> bool:
    """The prompt of a conversation that goes on, or probably will, is put into caches."""
    return thread.turns > 0 or thread.remaining >= 1.0


def turn_to_come(expected: Expected, thread: Thread) -> Turn:
    """The mean of the turns that will probably follow on a call which takes so many tokens.

    Each adds the last answer to the prompt, and as much as this call has added to the one before it; of a
    conversation that begins nobody knows that yet, so it counts as nothing.
    """
    is_known = thread.turns > 0 and thread.share is None
    added = max(0, expected.input - thread.prefix) if is_known else 0
    before_the_middle = max(0.0, thread.remaining - 1.0) / 2.0
    known = expected.input + expected.output + int(before_the_middle * (added + expected.output))
    return Turn(known + added, known)


class Costs:
    """What one call is expected to cost at offers.

    A conversation that goes elsewhere finds nothing in the cache there; one that stays may pay more for each turn. So
    offers are compared by the mean of the turns: of this one, at what they hold of it now, and of those to come, at
    what they will hold if all are made there.
    """

    __slots__ = ("_conditions", "_forecast", "_is_written", "_request", "_thread", "_turns", "expected", "kind")

    def __init__(self, request: Request, thread: Thread, *, conditions: Conditions) -> None:
        """Nothing is computed before it is asked for."""
        self._request = request
        self._thread = thread
        self._conditions = conditions
        self._forecast = conditions.forecast
        self._is_written = writes_cache(thread)
        self._turns: dict[ModelId, Turn] = {}
        self.kind = kind_of(request)
        self.expected: dict[ModelId, Expected] = {}
        """What `tokens` has told so far."""

    def tokens(self, model: ModelId) -> Expected:
        """The tokens that the call will take at this model."""
        expected = self.expected.get(model)
        if expected is None:
            expected = self.expected[model] = self._forecast.expect(self._request, model, kind=self.kind)
            if self._thread.remaining:
                self._turns[model] = turn_to_come(expected, self._thread)
        return expected

    def of(self, offer: Offer, price: Price, *, expected: Expected) -> Candidate:
        """What the offer, whose price this is, will cost for the tokens that are expected at its model.

        The score is the mean, in msat, of this call and those that will follow on it, if all are made there.
        """
        thread, conditions, output = self._thread, self._conditions, expected.output
        cached = 0
        if thread.warm and offer.id in thread.warm:
            cached = conditions.conversations.expected_cached(
                thread, offer, input_tokens=expected.input, now=conditions.now
            )
        call = cost_of(price, expected.input, cached=cached, tokens_out=output, is_written=self._is_written)
        turn: float = call
        remaining = thread.remaining
        if remaining:
            later = self._turns[offer.model]
            kept = conditions.conversations.kept(thread, offer, tokens=later.known)
            then = cost_of(price, later.input, cached=kept, tokens_out=output, is_written=True)
            turn = (call + remaining * then) / (1.0 + remaining)
        factors = conditions.charges.factors
        if factors and offer.id in factors:
            factor = factors[offer.id]
            return Candidate(offer, Msat(round(factor * call)), factor * turn, cached, factor)
        return Candidate(offer, Msat(call), turn, cached)

    def high(self, candidate: Candidate, price: Price) -> float:
        """What one call in ten will cost more than, of a candidate at this price."""
        expected = self.expected[candidate.offer.model]
        return candidate.factor * cost_of(
            price,
            expected.input,
            cached=candidate.cached,
            tokens_out=expected.high,
            is_written=self._is_written,
        )
