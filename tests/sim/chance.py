"""Luck that depends on nothing but who asks for it, so that whoever makes the same attempt has the same luck."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from satisfice.core.clock import ManualClock

__all__ = ["Luck", "lognormal"]

_DRAWS: Final = 65_537
"""A prime, so that steps of any other size visit all draws."""
_STEPS: Final = (40_503, 24_593, 12_289)


class Luck:
    """Draws by number: the same numbers, the same draw."""

    def __init__(self, clock: ManualClock) -> None:
        """Draw all of them now, by the clock's seed."""
        chances = [clock.chance() for _ in range(_DRAWS)]
        normal = NormalDist().inv_cdf
        self._chances = chances
        self._normals = [normal(min(max(1e-9, chance), 1.0 - 1e-9)) for chance in chances]

    def chance(self, provider: int, call: int, attempt: int) -> float:
        """A number in [0, 1)."""
        return self._chances[_place(provider, call, attempt)]

    def normal(self, provider: int, call: int, attempt: int) -> float:
        """A number of the standard normal distribution, which has nothing to do with `chance`."""
        return self._normals[_place(provider, call, attempt + 7)]


def lognormal(clock: ManualClock, median: float, *, spread: float) -> float:
    """A number around a median; `spread` is the deviation of its logarithm."""
    return median * math.exp(spread * NormalDist().inv_cdf(min(max(1e-9, clock.chance()), 1.0 - 1e-9)))


def _place(provider: int, call: int, attempt: int) -> int:
    return (provider * _STEPS[0] + call * _STEPS[1] + attempt * _STEPS[2]) % _DRAWS
