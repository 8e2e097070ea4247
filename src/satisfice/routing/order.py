"""Orders in which offers are looked at and tried where they are not simply the cheapest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from satisfice.routing.pool import Priced

__all__ = ["drawn", "rotated", "spread"]

_T = TypeVar("_T")


def rotated(offers: Sequence[Priced], turn: int) -> Iterator[Priced]:
    """All of them, beginning one further at each turn."""
    start = turn % len(offers) if offers else 0
    return chain(offers[start:], offers[:start])


def drawn(offers: Iterable[Priced], weights: Mapping[str, int], *, chance: Callable[[], float]) -> Iterator[Priced]:
    """The first offer of each provider, then the second of each, and so on; providers as chance and weights have it.

    Each is the first of all with a probability that is its share of the weights, where who is not named has 1.
    """
    by_provider: dict[str, list[Priced]] = {}
    for priced in offers:
        by_provider.setdefault(priced.offer.provider, []).append(priced)
    # As Efraimidis and Spirakis draw without replacement: "Weighted random sampling with a reservoir" (2006).
    order = sorted(by_provider, key=lambda provider: _exponential(chance) / weights.get(provider, 1))
    return filter(None, chain.from_iterable(zip_longest(*map(by_provider.__getitem__, order))))


def spread(
    ranked: Sequence[_T], score: Callable[[_T], float], *, share: float, chance: Callable[[], float]
) -> list[_T]:
    """The same, but those whose score is above the first by no more than this share stand as chance has it.

    The better the likelier: so not all who decide alike go to the same one (RIP-06). Scores are ranked from 0 up, and
    infinite for what is not known.
    """
    best = score(ranked[0])
    near = [each for each in ranked if score(each) <= best * (1.0 + share)]
    if 0.0 < best < math.inf:
        mixed = sorted(near, key=lambda each: _exponential(chance) * score(each))
    else:
        mixed = sorted(near, key=lambda _: chance())
    return [*mixed, *ranked[len(near) :]]


def _exponential(chance: Callable[[], float]) -> float:
    """A number by chance that is exponentially distributed."""
    return -math.log(1.0 - chance())
