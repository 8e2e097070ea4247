"""Decaying estimates of one offer: how soon it answers, how fast it writes, how often it fails.

What was seen counts half as much five minutes later, and so on; of what is too
old nothing is known any more. Sums decay, not averages, so one number says how
old all of them are.

An answer that comes in pieces shows how long the first one took and how fast
the others followed. One that comes whole shows only both together, so the time
for writing it is taken off as far as the pace is known from others.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

__all__ = ["Figures", "OfferStats"]

_HALF_LIFE: Final = 300.0
_FORGOTTEN: Final = 1 / 64
"""What is worth less than this part of a success, or of a token, tells nothing: one success is, after half an hour."""
_PRIOR: Final = 5.0
"""As if so many attempts had gone well before: one failure alone says little."""


class Figures(NamedTuple):
    """What an offer is like at present."""

    first_byte: float | None
    """Seconds until its first output; None: not known."""
    rate: float | None
    """Tokens a second after that; None: not known."""
    failure_rate: float
    """The share of attempts that fail; nothing is known: 0."""


class OfferStats(msgspec.Struct):
    """Sums over the attempts at one offer, each weighed by its age at `at`."""

    at: float = 0.0
    """When the sums were brought up to date last."""
    failures: float = 0.0
    successes: float = 0.0
    waited: float = 0.0
    """Seconds until the first output."""
    writing: float = 0.0
    """Seconds after that, where there is an output to count."""
    tokens: float = 0.0
    """What was put out in them."""

    def note_success(self, now: float, *, first_byte: float, seconds: float, tokens: int) -> None:
        """One attempt went well: seconds to its first output and to its end (the same if it came whole), and tokens."""
        self._age(now)
        self.successes += 1.0
        if tokens and seconds > first_byte:
            self.writing += seconds - first_byte
            self.tokens += tokens
        elif self.tokens:
            first_byte = max(0.0, first_byte - tokens * self.writing / self.tokens)
        self.waited += first_byte

    def note_failure(self, now: float) -> None:
        """One attempt failed."""
        self._age(now)
        self.failures += 1.0

    def first_byte(self, now: float) -> float | None:
        """Seconds until its first output; None: not known."""
        return self.waited / self.successes if self._is_known(now) else None

    def rate(self, now: float) -> float | None:
        """Tokens a second after that; None: not known."""
        return self.tokens / self.writing if self.writing and self._is_known(now) else None

    def failure_rate(self, now: float) -> float:
        """The share of attempts that fail, from 0 to 1."""
        weight = self._weight(now)
        return weight * self.failures / (weight * (self.failures + self.successes) + _PRIOR)

    def latency(self, output_tokens: int, now: float) -> float | None:
        """Seconds that an answer of so many tokens takes to its end; None: not known."""
        if not self._is_known(now):
            return None
        pace = self.writing / self.tokens if self.tokens else 0.0
        return self.waited / self.successes + output_tokens * pace

    def figures(self, now: float) -> Figures:
        """All of it."""
        return Figures(self.first_byte(now), self.rate(now), self.failure_rate(now))

    def moved(self, seconds: float) -> OfferStats:
        """The same, so much later."""
        return msgspec.structs.replace(self, at=self.at + seconds)

    def _is_known(self, now: float) -> bool:
        return self.successes * self._weight(now) >= _FORGOTTEN

    def _weight(self, now: float) -> float:
        """What the sums count for by now."""
        return math.pow(0.5, (now - self.at) / _HALF_LIFE)

    def _age(self, now: float) -> None:
        weight = self._weight(now)
        self.at = now
        self.failures *= weight
        self.successes *= weight
        self.waited *= weight
        self.writing *= weight
        self.tokens *= weight
        if self.tokens < _FORGOTTEN:
            self.writing = self.tokens = 0.0
