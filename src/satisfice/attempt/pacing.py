"""When: backoff with jitter, and a retry budget paid for by successes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Backoff", "Pacing", "RetryBudget"]


class Backoff:
    """Waits that double from one to the next, each drawn evenly between nothing and its bound.

    "Full jitter" spreads callers that failed in the same instant best
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    __slots__ = ("_chance", "_initial", "_maximum")

    def __init__(self, initial: float, maximum: float, *, chance: Callable[[], float]) -> None:
        """Bounds of the first and of any wait, in seconds; a source of numbers in [0, 1)."""
        self._initial = initial
        self._maximum = maximum
        self._chance = chance

    def wait(self, round_: int) -> float:
        """Seconds to wait before this round of retries (0, 1, …)."""
        # The exponent is bounded because a float is.
        return min(self._maximum, self._initial * 2.0 ** min(round_, 64)) * self._chance()


class RetryBudget:
    """Retries are paid for by successes, so that an outage can't multiply traffic.

    Each success pays `ratio` of a retry; `reserve` retries a second are there
    without, for quiet times. What is not used in ten seconds is lost.
    """

    __slots__ = ("_at", "_most", "_ratio", "_reserve", "_tokens")

    _SECONDS = 10.0

    def __init__(self, ratio: float, reserve: float) -> None:
        """Retries per success; retries per second."""
        self._ratio = ratio
        self._reserve = reserve
        self._most = max(1.0, reserve * self._SECONDS)
        self._tokens = self._most
        self._at: float | None = None

    def deposit(self) -> None:
        """A call has succeeded."""
        if self._tokens < self._most:
            self._tokens = min(self._most, self._tokens + self._ratio)

    def withdraw(self, now: float) -> bool:
        """May one retry be made? If so it is paid."""
        if self._at is not None:
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._reserve)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def refund(self) -> None:
        """A retry that was paid for has not been made."""
        self._tokens = min(self._most, self._tokens + 1.0)


class Pacing(NamedTuple):
    """How a call may retry and hedge."""

    backoff: Backoff
    budget: RetryBudget
    max_attempts: int
    """In one call, hedges included."""
    longest_wait: float = 10.0
    """Seconds that a call waits for an upstream at its limit; whoever wants more is told to the caller."""
    hedge_after: float | None = None
    """Seconds without an answer after which the next offer is asked too; None: never."""
    probe_wait: float = 3.0
    """Seconds that a call waits for what comes of another call's probe, if it has nobody else; and for its own, before
    the next offer is asked too."""
