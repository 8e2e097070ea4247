"""Circuit breaker: leaves alone what keeps failing, and finds out by one call at a time whether it is well again.

                fails too often in a row
      CLOSED ────────────────────────────> OPEN <─────────┐
        ^                                   │ time        │ the probe fails: open again, for twice as long
        │                                   v             │
        └────── the probe succeeds ───── HALF_OPEN ───────┘
                                           │  ^ the probe tells nothing, or nothing in time
                                           └──┘

No timer runs: an open breaker is half-open for whoever looks at it after
`probe_at`. Half-open, it lets in one call at a time, the probe, on a lease;
when the lease is over without a result, the next call may be the probe.

Each opening, closing and probe begins a new generation. A ticket is the
generation that it was drawn in, so news with the ticket of another one is
late, and late news changes nothing.

The pattern is Michael Nygard's (Release It!, 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, NewType

import msgspec

__all__ = ["Breaker", "Limits", "SavedBreaker", "State", "Ticket"]

Ticket = NewType("Ticket", int)
"""The generation of a breaker that let a call in."""

_JITTER: Final = 0.25
_SOONEST: Final = 5.0


class State(Enum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    """Lets all of them in."""
    OPEN = "open"
    """Lets none in."""
    HALF_OPEN = "half_open"
    """Lets one in, to find out."""


class Limits(NamedTuple):
    """When a breaker opens, and for how long."""

    failures: int = 3
    """In a row."""
    open_for: float = 30.0
    """Seconds, the first time; they double each time that the probe fails."""
    open_max: float = 120.0
    """Seconds that those double up to. After as long without trouble the doubling is forgotten.

    Chance adds up to a quarter to either, so that those who saw the same outage don't come back in the same instant.
    """


class SavedBreaker(msgspec.Struct, frozen=True):
    """A breaker's memory; times are seconds from the moment of saving."""

    failures: int
    last_error: str | None
    opened: float | None
    probe: float
    openings: int
    closed: float


class Breaker:
    """The machine for one thing that may fail."""

    __slots__ = (
        "_chance",
        "_closed_at",
        "_generation",
        "_half_open_at",
        "_is_hasty",
        "_limits",
        "_openings",
        "_paused_at",
        "failures",
        "free_at",
        "last_error",
        "opened_at",
    )

    def __init__(self, limits: Limits, *, chance: Callable[[], float]) -> None:
        """Closed; `chance` gives numbers in [0, 1)."""
        self._limits = limits
        self._chance = chance
        self._generation = 0
        self._openings = 0  # in a row, without a good while between them
        self._closed_at = 0.0
        self._half_open_at = 0.0  # unless it is closed
        self._paused_at = 0.0  # when it was opened last
        self._is_hasty = False
        self.failures = 0
        """In a row."""
        self.last_error: str | None = None
        """The last of those."""
        self.opened_at: float | None = None
        """Since when it has not been closed; None: it is."""
        self.free_at = 0.0
        """When the next call is let in, by time or by the end of the probe's lease; closed: means nothing."""

    @property
    def probe_at(self) -> float | None:
        """When it is half-open, or since when; None: it is closed."""
        return None if self.opened_at is None else self._half_open_at

    def state(self, now: float) -> State:
        """What it does now."""
        if self.opened_at is None:
            return State.CLOSED
        return State.OPEN if now < self._half_open_at else State.HALF_OPEN

    def is_probing(self, now: float) -> bool:
        """It is half-open, and a probe is under way."""
        return self.opened_at is not None and self._half_open_at <= now < self.free_at

    def is_current(self, ticket: Ticket | None, now: float) -> bool:
        """News with this ticket would not be late."""
        return ticket == self._generation and (self.opened_at is None or now < self.free_at)

    def admit(self, now: float, lease: float) -> Ticket | None:
        """Let a call in, or don't; the probe has `lease` seconds."""
        if self.opened_at is not None:
            if now < self.free_at:
                return None
            self._generation += 1
            self.free_at = now + lease
        return Ticket(self._generation)

    def pause(self, now: float) -> float | None:
        """For how long it has been open, if it may be half-open sooner than it said; None: it may not.

        It has been left alone for a few seconds then, and for an eighth of its time.
        """
        length = self._half_open_at - self._paused_at
        waited = now - self._paused_at
        is_long_enough = self.state(now) is State.OPEN and waited >= max(_SOONEST, length / 8.0)
        return waited if is_long_enough else None

    def hasten(self, now: float) -> None:
        """Be half-open now instead of later. If it is too soon it will not be left alone for longer than before."""
        self._half_open_at = self.free_at = now
        self._is_hasty = True

    def is_calm(self, ticket: Ticket | None) -> bool:
        """Success with this ticket is no news: nothing has failed since the last one."""
        return not self.failures and self.opened_at is None and ticket == self._generation

    def succeed(self, ticket: Ticket | None, now: float) -> bool:
        """The call went well. False: the news is late."""
        if not self.is_current(ticket, now):
            return False
        if self.failures:
            self.failures = 0
            self.last_error = None
        if self.opened_at is not None:
            self._generation += 1
            self.opened_at = None
            self._closed_at = now
            self._is_hasty = False
        return True

    def fail(self, ticket: Ticket | None, now: float, *, error: str) -> bool:
        """The call failed. False: the news is late."""
        if not self.is_current(ticket, now):
            return False
        self.failures += 1
        self.last_error = error
        if self.opened_at is not None or self.failures >= self._limits.failures:
            self._open(now)
        return True

    def release(self, ticket: Ticket | None) -> bool:
        """The call came to nothing that says how it is here. True: it was the probe, and the next call may be it."""
        if ticket != self._generation or self.opened_at is None:
            return False
        self._generation += 1
        self.free_at = self._half_open_at
        return True

    def save(self, now: float) -> SavedBreaker:
        """Its memory; a probe that is under way is not part of it."""
        opened = None if self.opened_at is None else self.opened_at - now
        probe, closed = self._half_open_at - now, self._closed_at - now
        return SavedBreaker(self.failures, self.last_error, opened, probe, self._openings, closed)

    def restore(self, saved: SavedBreaker, then: float) -> None:
        """Go on from what was saved at `then`; no more patient than the present limits allow."""
        self.failures = saved.failures
        self.last_error = saved.last_error
        self.opened_at = None if saved.opened is None else then + saved.opened
        self._half_open_at = self.free_at = then + min(saved.probe, self._limits.open_max * (1.0 + _JITTER))
        self._paused_at = min(then, self._half_open_at)
        self._openings = saved.openings
        self._closed_at = then + saved.closed

    def _open(self, now: float) -> None:
        longest = self._limits.open_max
        if self.opened_at is None:
            self.opened_at = now
            if now - self._closed_at >= longest:
                self._openings = 0
        if self._is_hasty:
            self._openings -= 1
            self._is_hasty = False
        # The exponent is bounded because a float is.
        seconds = min(longest, self._limits.open_for * 2.0 ** min(self._openings, 64))
        self._openings += 1
        self._generation += 1
        self._paused_at = now
        self._half_open_at = self.free_at = now + seconds * (1.0 + _JITTER * self._chance())
