"""One downstream call: which attempts to open, when to wait, when to hedge, when to commit.

Sans-IO: it never awaits, sleeps or reads a clock. The driver tells it what
happened and obeys the commands it returns.

    WAITING ──Answered──> COMMITTED ──Ended──> DONE (Finish)
      │ ^ │                   └─Broke, DownstreamLeft──> DONE (Finish, incomplete)
      │ │ └─Broke, caller's fault, or nothing left to try──> DONE (Fail)
      │ └─Broke or Denied, an offer is left: Open, or Wake and then Open─┐
      └──────────────────────────────────────────────────────────────────┘

First each offer that doesn't rest is tried once, cheapest first, without
waiting. Then those that rested, were denied or broke for reasons that pass,
after a backoff or when their time has come. Every attempt after the first is
paid for from the retry budget, and none is begun that could not end in time. A
denied attempt has not been one: it costs nothing and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

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
    "Denied",
    "DownstreamLeft",
    "Ended",
    "Event",
    "Fail",
    "Finish",
    "Open",
    "Wake",
    "Woke",
]


_NONE: Final[frozenset[int]] = frozenset()


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
    spoiled: frozenset[int] = _NONE
    """Ranks that the same fault rules out; with its own among them, that one isn't tried again either."""


class Denied(msgspec.Struct, frozen=True, gc=False):
    """Event: this attempt was not let begin, and why."""

    attempt: int
    outcome: Outcome
    until: float | None
    """When its offer may be tried; None: nobody knows."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """Event: the committed attempt has been relayed to its end."""

    attempt: int


class Woke(msgspec.Struct, frozen=True, gc=False):
    """Event: the time of the last `Wake` is here."""


class DownstreamLeft(msgspec.Struct, frozen=True, gc=False):
    """Event: the caller has gone."""


Command = Open | Wake | Commit | Cancel | Fail | Finish
Event = Answered | Broke | Denied | Ended | Woke | DownstreamLeft


class Call:
    """One downstream call over ranked offers."""

    __slots__ = (
        "_denied",
        "_expires_at",
        "_fresh",
        "_is_over",
        "_is_probe",
        "_offers",
        "_open",
        "_opened",
        "_pacing",
        "_ready",
        "_resting",
        "_retry",
        "_round",
        "_spoiled",
        "_unpaid",
        "_winner",
        "failures",
    )

    def __init__(
        self,
        offers: int,
        pacing: Pacing,
        *,
        expires_at: float,
        ready: Sequence[float] = (),
        is_probe: bool = False,
    ) -> None:
        """A call that may use so many offers, ranked from 0, until `expires_at`; `ready` is when each may be tried.

        `is_probe`: the first one has failed lately, so the next is asked too when it isn't heard of soon.
        """
        self._offers = offers
        self._pacing = pacing
        self._expires_at = expires_at
        self._ready = ready
        self._is_probe = is_probe
        self._opened = 0
        self._unpaid = 0  # the attempt that is free
        self._fresh = 0  # no rank below it is fresh
        self._open: dict[int, int] = {}  # attempt -> rank
        self._resting: dict[int, float] = {}  # rank -> when it may be tried
        self._spoiled = _NONE  # ranks
        self._denied: tuple[int, ...] = ()  # ranks, each time
        self._retry: int | None = None  # the rank to try at the next Woke
        self._round = 0
        self._winner: int | None = None
        self._is_over = False
        self.failures: list[tuple[int, Outcome]] = []
        """Ranks and outcomes of the attempts that failed or were denied, in order."""

    @property
    def attempts(self) -> int:
        """How many were begun."""
        return self._opened - len(self._denied)

    @property
    def is_over(self) -> bool:
        """It has finished or failed."""
        return self._is_over

    def start(self, now: float) -> tuple[Command, ...]:
        """Open the first attempt, or wait for it if every offer rests."""
        if self._ready:
            self._resting = {rank: at for rank, at in enumerate(self._ready) if at > now}
            if not self._has_fresh():
                return self._again(now)
        return self._open_fresh(now)

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
            case Denied():
                return () if self._winner is not None else self._turned_away(event, now)
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
        self._spoiled |= news.spoiled
        return () if self._open else self._go_on(now)  # A hedge that is still running is the retry.

    def _turned_away(self, news: Denied, now: float) -> tuple[Command, ...]:
        """As if it had not been opened. It is waited for once, and not again if it is denied then, too."""
        rank = self._open.pop(news.attempt, None)
        if rank is None:
            return ()
        self.failures.append((rank, news.outcome))
        if news.until is not None and rank not in self._denied:
            self._resting[rank] = news.until
        self._denied += (rank,)
        if news.attempt == self._unpaid:
            self._unpaid = self._opened
        else:
            self._pacing.budget.refund()
        return self._go_on(now)

    def _go_on(self, now: float) -> tuple[Command, ...]:
        """Try another offer, or wait for one; if there is none and nothing on its way, the call has failed."""
        if self.attempts < self._pacing.max_attempts and now < self._expires_at:
            if self._has_fresh():
                if self._pay(now):
                    return self._open_fresh(now)
            elif not self._open:
                return self._again(now)
        return () if self._open else self._fail()

    def _again(self, now: float) -> tuple[Command, ...]:
        """Wait for whichever offer may be tried first, the cheaper one of two."""
        waiting = self._resting.keys() - self._spoiled
        if not waiting:
            return self._fail()
        rank = min(waiting, key=lambda rank: (self._resting[rank], rank))
        at = self._resting[rank]
        if at > now or any(rank == each for each, _ in self.failures):
            at = max(at, now) + self._pacing.backoff.wait(self._round)
            self._round += 1
        is_too_long = at >= self._expires_at or at - now > self._pacing.longest_wait
        if (is_too_long and self.failures) or not self._pay(now):
            return self._fail()
        if at <= now or is_too_long:  # When nobody has been asked yet, it may as well say itself why not.
            return self._open_rested(rank)
        self._retry = rank
        return (Wake(at),)

    def _woke(self, now: float) -> tuple[Command, ...]:
        if self._retry is not None:
            rank, self._retry = self._retry, None
            # Nothing fails before somebody was asked: what is begun too late says so itself.
            return self._open_rested(rank) if now < self._expires_at or not self.failures else self._fail()
        is_too_late = now >= self._expires_at or self.attempts >= self._pacing.max_attempts
        if is_too_late or not self._has_fresh() or not self._pay(now):
            return ()
        return self._open_fresh(now)

    def _fail(self) -> tuple[Command, ...]:
        self._is_over = True
        return (*self._cancel_all(), Fail())

    def _pay(self, now: float) -> bool:
        """One attempt is free, all others are retries."""
        return self._opened == self._unpaid or self._pacing.budget.withdraw(now)

    def _has_fresh(self) -> bool:
        """There is an offer that was never tried, isn't ruled out and needn't be waited for."""
        while self._fresh < self._offers and (self._fresh in self._resting or self._fresh in self._spoiled):
            self._fresh += 1
        return self._fresh < self._offers

    def _open_fresh(self, now: float) -> tuple[Command, ...]:
        """Open the cheapest of them; the time until it is hedged begins anew."""
        opened = self._open_at(self._fresh)
        hedge = self._pacing.hedge_after
        if self._is_probe and self._fresh == 0:
            hedge = self._pacing.probe_wait if hedge is None else min(hedge, self._pacing.probe_wait)
        self._fresh += 1
        return (opened,) if hedge is None or not self._has_fresh() else (opened, Wake(now + hedge))

    def _open_rested(self, rank: int) -> tuple[Command, ...]:
        del self._resting[rank]
        return (self._open_at(rank),)

    def _open_at(self, rank: int) -> Open:
        attempt = self._opened
        self._opened += 1
        self._open[attempt] = rank
        return Open(attempt, rank)
