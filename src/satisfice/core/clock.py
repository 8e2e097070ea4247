"""Time and chance as values to inject; the only module that may read either."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "new_id"]


class Clock(Protocol):
    """Where time and chance come from."""

    def now(self) -> float:
        """Seconds from an unknown start, never going back."""
        ...

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the system tells them."""
        ...

    def chance(self) -> float:
        """A number between 0 and 1 (1 excluded), each as likely as the other."""
        ...

    def bits(self, count: int) -> int:
        """That many random bits, from the system's own generator where there is one."""
        ...


class SystemClock:
    """The real time, the real chance."""

    __slots__ = ("bits", "chance", "now")

    def __init__(self) -> None:
        """Seed the generator from the system."""
        generator = random.Random()  # noqa: S311 - jitter and identifiers, no keys
        # Each call of the gateway asks ten times, so what answers is C, without a line of Python in between.
        self.now: Final[Callable[[], float]] = time.monotonic
        """Seconds of the monotonic clock."""
        self.chance: Final[Callable[[], float]] = generator.random
        """A number in [0, 1)."""
        self.bits: Final[Callable[[int], int]] = generator.getrandbits
        """That many random bits."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """Time that moves when told to, and chance that repeats itself: for tests and scripts."""

    __slots__ = ("_generator", "_now", "_unix_ms")

    def __init__(self, *, now: float = 1_000.0, unix_ms: int = 1_764_000_000_000, seed: int = 0) -> None:
        """Stand still at the given instant."""
        self._now = now
        self._unix_ms = unix_ms
        self._generator = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        self._now += seconds
        self._unix_ms += round(seconds * 1_000)

    def now(self) -> float:
        """The seconds it was moved to."""
        return self._now

    def unix_ms(self) -> int:
        """The milliseconds it was moved to."""
        return self._unix_ms

    def chance(self) -> float:
        """The next number in [0, 1) of the seed."""
        return self._generator.random()

    def bits(self, count: int) -> int:
        """The next bits of the seed."""
        return self._generator.getrandbits(count)


def new_id(prefix: str, clock: Clock) -> str:
    """A new identifier `prefix_` + 27 hexadecimal digits: 44 bits of time in ms, 64 of chance; sorts by time."""
    return f"{prefix}_{clock.unix_ms():011x}{clock.bits(64):016x}"
