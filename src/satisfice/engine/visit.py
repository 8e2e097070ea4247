"""One attempt's visit to an offer: let in by its breaker, and told to it however the attempt ends."""

from __future__ import annotations

from satisfice.attempt.outcome import Fault, Outcome
from satisfice.core.amounts import Usage
from satisfice.core.clock import Clock
from satisfice.health.book import HealthBook, Permit, Trouble, TroubleKind

__all__ = ["Visit", "denial"]


class Visit:
    """Holds the permit of one attempt. It comes back once, by the first of `ended`, `failed` and `dropped`."""

    __slots__ = ("_begun", "_book", "_clock", "_lease", "_permit", "first_output", "offer")

    def __init__(self, book: HealthBook, permit: Permit, *, clock: Clock, lease: float) -> None:
        """The attempt begins with the permit; `lease` is the most seconds it can take."""
        self._book = book
        self._clock = clock
        self._permit: Permit | None = permit
        self._lease = lease
        self._begun = permit.begun
        self.offer = permit.offer
        self.first_output: float | None = None
        """Seconds until it was there."""

    def answered(self) -> None:
        """The first output is here. A probe has succeeded with it: a long answer must not keep others waiting."""
        now = self._clock.now()
        self.first_output = now - self._begun
        permit = self._permit
        if permit is not None and permit.is_probe:
            self._book.succeed(permit, now, first_byte=self.first_output, seconds=self.first_output, tokens=0)
            again = self._book.admit(self.offer, now, lease=self._lease)
            self._permit = None if isinstance(again, Trouble) else again

    def ended(self, usage: Usage | None) -> None:
        """The whole answer has come."""
        permit, self._permit = self._permit, None
        if permit is not None:
            now = self._clock.now()
            seconds = now - self._begun
            first = seconds if self.first_output is None else self.first_output
            tokens = 0 if usage is None else usage.output
            self._book.succeed(permit, now, first_byte=first, seconds=seconds, tokens=tokens)

    def failed(self, outcome: Outcome, *, is_repeat: bool) -> None:
        """It broke, or an error was the answer; `is_repeat`: the same call has failed there already."""
        permit, self._permit = self._permit, None
        if permit is None:
            return
        now, fault = self._clock.now(), outcome.fault
        if fault.trips:
            self._book.fail(permit, now, error=outcome.detail, is_providers=outcome.is_providers, is_repeat=is_repeat)
        elif fault.rests:
            self._book.rest(
                permit, now, seconds=outcome.retry_after, error=outcome.detail, whole_provider=fault.is_operators
            )
        else:
            self._book.release(permit)

    def dropped(self) -> None:
        """The caller left or another attempt was faster: nothing is known of this one."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._book.release(permit)


def denial(trouble: Trouble, now: float) -> Outcome:
    """What it means for a call that an offer is left alone: as if it had failed once more, without asking it."""
    wait = max(0.0, trouble.until - now)
    fault = Fault.CAPACITY if trouble.kind is TroubleKind.RESTING else Fault.UPSTREAM
    return Outcome(fault, f"left alone after: {trouble.error}", retry_after=wait, is_denied=True)
