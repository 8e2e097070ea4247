"""How long answers are, learnt from answers.

Their length is taken to be log-normal. Two things are learnt of it, both with
newer answers counting more: the mean, which is what money goes by, and how far
off it was, as the deviation of the logarithm.

An answer that the caller's limit cut off only tells that it would have been at
least so long. It counts as what answers beyond that limit come to on average
(the expectation step of EM for censored data): so short limits pull no mean
down, and answers that stay below their limit count in full.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from satisfice.routing.fading import Ratio, Sums

__all__ = ["Lengths", "Span"]

_PRIOR: Final = 8.0
"""Answers that a beginning is worth: one answer moves it by a ninth, fifty leave a ninth of it."""
_FADE: Final = 0.99
_SETTLED: Final = 90.0
"""Of the 100 answers that it can ever be worth."""
_DEVIATION: Final = 1.0
"""Of the logarithm, before anything is known: one answer in ten is 2.2 times the mean."""
_LEAST_DEVIATION: Final = 0.1
_MOST_DEVIATION: Final = 2.0
"""Up to 2.5 the mean of a log-normal is below what one in ten exceeds."""
_MOST_OFF: Final = 10.0
"""One answer counts as at most so many times the mean: an absurd report may not teach much, a true one comes again."""
_UNLIMITED: Final = 16_384
"""What an answer without a limit is bounded by, unless longer ones have been seen: the limit of many models."""
_UNHEARD_OF: Final = 1e-9
"""Where so small a share of answers is longer, a cut one counts as it is: what lies beyond is not known."""
_TENTH: Final = 1.2816
"""Deviations from the middle of a normal distribution to where a tenth of it is left."""


class Span(NamedTuple):
    """How long an answer is, in whole tokens; none of these is above `most`."""

    mean: int
    low: int
    """One answer in ten is shorter."""
    high: int
    """One answer in ten is longer."""
    most: int
    """It can't be longer: the limit, or, where there is none, a bound that hardly any answer reaches."""


_NOTHING: Final = Span(0, 0, 0, 0)


class Lengths:
    """How long the answers of one sort are."""

    __slots__ = ("_cut", "_log_median", "_mean", "_spread", "_usual", "deviation", "is_settled", "mean")

    def __init__(self, mean: Sums, spread: Sums) -> None:
        """Go on from these `sums`; `around` begins anew."""
        self._mean = Ratio(mean.top, mean.bottom, fade=_FADE)
        self._spread = Ratio(spread.top, spread.bottom, fade=_FADE)
        self._usual: Span | None = None  # both are computed only when somebody asks
        self._cut: Span | None = None
        self._derive()

    @classmethod
    def around(cls, mean: float, deviation: float = _DEVIATION) -> Lengths:
        """A beginning, as good as a few answers."""
        return cls(Sums(_PRIOR * mean, _PRIOR), Sums(_PRIOR * deviation**2, _PRIOR))

    @property
    def sums(self) -> tuple[Sums, Sums]:
        """What they are made of: tokens over answers, and squares of how far off the logarithm was over answers."""
        return self._mean.sums, self._spread.sums

    def add(self, tokens: float, *, is_cut: bool) -> None:
        """An answer was so long; or, if it was cut off, at least so long."""
        tokens = max(1.0, tokens)
        distance = self._distance(tokens)
        square = (distance * self.deviation) ** 2
        if is_cut and (share := _normal(-distance)) > _UNHEARD_OF:
            tokens = max(tokens, self._above(distance) / share)
            # The second moment of a normal distribution beyond a point; its density there over its share is the hazard.
            square = self.deviation**2 * (1.0 + distance * _density(distance) / share)
        self._mean.add(min(tokens, _MOST_OFF * self.mean), 1.0)
        self._spread.add(square, 1.0)
        self._derive()

    @property
    def usual(self) -> Span:
        """How long answers are that nothing limits."""
        usual = self._usual
        if usual is None:
            low = int(math.exp(self._log_median - _TENTH * self.deviation) + 0.5)
            high = int(math.exp(self._log_median + _TENTH * self.deviation) + 0.5)
            self._usual = usual = Span(int(self.mean + 0.5), low, high, max(_UNLIMITED, high))
        return usual

    def within(self, limit: int) -> Span:
        """How long answers are if they are cut off there; a limit below 1 leaves nothing of them."""
        if limit < 1:
            return _NOTHING
        cut = self._cut  # An application tends to use one limit, and all offers of a model are asked for the same.
        if cut is None or cut.most != limit:
            distance = self._distance(limit)
            mean = int(self.mean - self._above(distance) + limit * _normal(-distance) + 0.5)
            self._cut = cut = Span(mean, min(self.usual.low, mean), min(self.usual.high, limit), limit)
        return cut

    def _distance(self, tokens: float) -> float:
        """How many deviations an answer is from the median."""
        return (math.log(tokens) - self._log_median) / self.deviation

    def _above(self, distance: float) -> float:
        """What the answers beyond that add to the mean."""
        return self.mean * _normal(self.deviation - distance)

    def _derive(self) -> None:
        self.mean = max(1.0, self._mean.value)
        self.deviation = min(max(_LEAST_DEVIATION, math.sqrt(self._spread.value)), _MOST_DEVIATION)
        self.is_settled = self._mean.weight > _SETTLED
        """So many answers have been seen that one more hardly moves it."""
        self._log_median = math.log(self.mean) - self.deviation**2 / 2
        self._usual = self._cut = None


def _normal(distance: float) -> float:
    """The share of a normal distribution below so many deviations from its middle."""
    return 0.5 * math.erfc(-distance * math.sqrt(0.5))


def _density(distance: float) -> float:
    return math.exp(-distance * distance / 2.0) / math.sqrt(2.0 * math.pi)
