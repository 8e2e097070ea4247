"""What an offer is expected to cost: this call, by its price and what its cache will serve, and the turns to come."""

from __future__ import annotations

from typing import NamedTuple

from satisfice.catalog.offers import Price
from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.routing.conversation import Thread
from satisfice.routing.forecast import Expected

__all__ = ["Estimate", "Turn", "cost_of", "estimate", "turn_to_come"]


class Estimate(NamedTuple):
    """What a call may cost, in msat."""

    expected: Msat
    low: Msat
    """One call in ten costs less."""
    high: Msat
    """One call in ten costs more."""
    most: Msat
    """What it costs if nothing is cached and the answer is as long as it can be."""


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

    def cost(tokens_out: int, from_cache: int = cached) -> Msat:
        exact = cost_of(price, expected.input, cached=from_cache, tokens_out=tokens_out, is_written=is_written)
        return Msat(round(factor * exact))

    return Estimate(cost(expected.output), cost(expected.low), cost(expected.high), cost(expected.most, 0))


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
