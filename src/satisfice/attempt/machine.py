"""One downstream call: which attempts to open, when to wait, when to hedge, when to commit.

Sans-IO: it never awaits, sleeps or reads a clock. The driver tells it what
happened and obeys the commands it returns.

    WAITING ──Answered──> COMMITTED ──Ended──> DONE (Finish)
      │ ^ │                   └─Broke, DownstreamLeft──> DONE (Finish, incomplete)
      │ │ └─Broke, caller's fault, or nothing left to try──> DONE (Fail)
      │ └─Broke, an offer is left: Open, or Wake and then Open─┐
      └────────────────────────────────────────────────────────┘

First each offer is tried once, cheapest first, without waiting. Then those
that broke for reasons that pass are tried again, after a backoff or when their
`Retry-After` is over. Every attempt after the first is paid for from the retry
budget, and none is begun that could not end in time.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from satisfice.attempt.outcome import Fault, Outcome
from satisfice.attempt.pacing import Pacing

__all__ = [
    "Answered",
    "Broke",
    "Call",
    "Cancel",
    "Command",
    "Commit",
    "DownstreamLeft",
    "Ended",
    "Event",
    "Fail",
    "Finish",
    "Open",
    "Wake",
    "Woke",
]


class Open(msgspec.Struct, frozen=True, gc=False):
    """Command: start an attempt at the offer of this rank."""

    attempt: int
    rank: int


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Command: tell `Woke` at this time; replaces an earlier wish."""

    at: float


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Command: relay this attempt downstream; no retry after this."""

    attempt: int


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Command: drop this attempt."""

    attempt: int


class Fail(msgspec.Struct, frozen=True, gc=False):
    """Command: the call is over; tell the caller that it failed. The last of `failures` is what decided."""


class Finish(msgspec.Struct, frozen=True, gc=False):
    """Command: the call is over; None: before anything was committed, because the caller left."""

    attempt: int | None
    is_complete: bool


class Answered(msgspec.Struct, frozen=True, gc=False):
    """Event: this attempt has its first real output (unstreamed: its whole answer)."""

    attempt: int


class Broke(msgspec.Struct, frozen=True, gc=False):
    """Event: this attempt failed."""

    attempt: int
    outcome: Outcome


class Ended(msgspec.Struct, frozen=True, gc=False):
    """Event: the committed attempt has been relayed to its end."""

    attempt: int


class Woke(msgspec.Struct, frozen=True, gc=False):
    """Event: the time of the last `Wake` is here."""


class DownstreamLeft(msgspec.Struct, frozen=True, gc=False):
    """Event: the caller has gone."""


Command = Open | Wake | Commit | Cancel | Fail | Finish
Event = Answered | Broke | Ended | Woke | DownstreamLeft


class Call:
    """One downstream call over ranked offers."""

    __slots__ = (
        "_attempts",
        "_expires_at",
        "_fresh",
        "_is_over",
        "_offers",
        "_open",
        "_pacing",
        "_resting",
        "_retry",
        "_round",
        "_winner",
        "failures",
    )

    def __init__(self, offers: int, pacing: Pacing, *, expires_at: float) -> None:
        """A call that may use so many offers, ranked from 0, until `expires_at`."""
        self._offers = offers
        self._pacing = pacing
        self._expires_at = expires_at
        self._attempts = 0
        self._fresh = 0  # the next rank never tried
        self._open: dict[int, int] = {}  # attempt -> rank
        self._resting: dict[int, float] = {}  # rank -> when it may be tried again
        self._retry: int | None = None  # the rank to try at the next Woke
        self._round = 0
        self._winner: int | None = None
        self._is_over = False
        self.failures: list[tuple[int, Outcome]] = []
        """Ranks and outcomes of the attempts that failed, in order."""

    @property
    def attempts(self) -> int:
        """How many were opened."""
        return self._attempts

    @property
    def is_over(self) -> bool:
        """It has finished or failed."""
        return self._is_over

    def start(self, now: float) -> tuple[Command, ...]:
        """Open the first attempt."""
        hedge = self._pacing.hedge_after
        if hedge is None or self._offers == 1:
            return (self._open_fresh(),)
        return (self._open_fresh(), Wake(now + hedge))

    def tell(self, event: Event, now: float) -> tuple[Command, ...]:
        """What to do about this event; late news of an attempt that is over needs nothing."""
        if self._is_over:
            return ()
        match event:
            case Answered():
                return self._commit(event.attempt)
            case Ended() if event.attempt != self._winner:
                return ()
            case Ended():
                self._pacing.budget.deposit()
                return self._finish(is_complete=True)
            case Broke():
                if event.attempt == self._winner:
                    return self._finish(is_complete=False)
                return self._lost(event, now)
            case Woke():
                return () if self._winner is not None else self._woke(now)
            case DownstreamLeft():
                return (*self._cancel_all(), *self._finish(is_complete=False))
            case _ as never:
                assert_never(never)

    def _commit(self, attempt: int) -> tuple[Command, ...]:
        if self._winner is not None or attempt not in self._open:
            return ()
        self._winner = attempt
        rank = self._open.pop(attempt)
        losers = self._cancel_all() if self._open else ()
        self._open[attempt] = rank
        return (*losers, Commit(attempt))

    def _finish(self, *, is_complete: bool) -> tuple[Command, ...]:
        self._is_over = True
        return (Finish(self._winner, is_complete),)

    def _cancel_all(self) -> tuple[Command, ...]:
        cancels = tuple(Cancel(attempt) for attempt in self._open)
        self._open.clear()
        return cancels

    def _lost(self, news: Broke, now: float) -> tuple[Command, ...]:
        outcome = news.outcome
        rank = self._open.pop(news.attempt, None)
        if rank is None:
            return ()
        self.failures.append((rank, outcome))
        if outcome.fault is Fault.CALLER or outcome.is_final:
            return self._fail()
        if outcome.fault.is_passing:
            self._resting[rank] = now + (outcome.retry_after or 0.0)
        if self._open:
            return ()  # A hedge is still running: it is the retry.
        if self._attempts >= self._pacing.max_attempts or now >= self._expires_at:
            return self._fail()
        if self._fresh < self._offers:
            return (self._open_fresh(),) if self._pacing.budget.withdraw(now) else self._fail()
        return self._again(now)

    def _again(self, now: float) -> tuple[Command, ...]:
        """Wait for whichever offer may be tried again first, the cheaper one of two."""
        if not self._resting:
            return self._fail()
        rank = min(self._resting, key=lambda rank: (self._resting[rank], rank))
        at = max(self._resting[rank], now) + self._pacing.backoff.wait(self._round)
        is_too_long = at >= self._expires_at or at - now > self._pacing.longest_wait
        if is_too_long or not self._pacing.budget.withdraw(now):
            return self._fail()
        self._round += 1
        self._retry = rank
        return (Wake(at),)

    def _woke(self, now: float) -> tuple[Command, ...]:
        if self._retry is not None:
            rank, self._retry = self._retry, None
            del self._resting[rank]
            return (self._open_at(rank),) if now < self._expires_at else self._fail()
        is_too_late = now >= self._expires_at or self._attempts >= self._pacing.max_attempts
        if is_too_late or self._fresh >= self._offers or not self._pacing.budget.withdraw(now):
            return ()
        hedge = self._open_fresh()
        wait = self._pacing.hedge_after
        return (hedge,) if wait is None else (hedge, Wake(now + wait))

    def _fail(self) -> tuple[Command, ...]:
        self._is_over = True
        return (*self._cancel_all(), Fail())

    def _open_fresh(self) -> Open:
        rank = self._fresh
        self._fresh += 1
        return self._open_at(rank)

    def _open_at(self, rank: int) -> Open:
        attempt = self._attempts
        self._attempts += 1
        self._open[attempt] = rank
        return Open(attempt, rank)
