"""A world of offers that answer, break and dawdle as hypothesis likes, and holds a call to what must always be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from hypothesis import strategies as st

from satisfice.attempt.machine import (
    Answered,
    Broke,
    Call,
    Cancel,
    Command,
    Commit,
    Denied,
    DownstreamLeft,
    Ended,
    Event,
    Fail,
    Finish,
    Open,
    Wake,
    Woke,
)
from satisfice.attempt.outcome import Fault
from satisfice.attempt.pacing import RetryBudget
from tests.build import a_pacing, an_outcome

__all__ = ["OUTCOMES", "SETTINGS", "Setting", "World", "history", "to_the_end"]

OUTCOMES = st.builds(
    an_outcome,
    st.sampled_from([Fault.UPSTREAM] * 4 + [Fault.CAPACITY] * 2 + list(Fault)),
    retry_after=st.sampled_from([None, 0.0, 1.0, 20.0]),
    is_final=st.sampled_from([False] * 9 + [True]),
)


_EARLY = 0.125


class Setting(NamedTuple):
    """What a call is given."""

    offers: int
    rests: tuple[float, ...]
    """Seconds, for as many offers as there are; empty: nobody rests."""
    most: int
    hedge_after: float | None
    seconds: int
    ratio: float
    reserve: float


SETTINGS = st.builds(
    Setting,
    offers=st.integers(1, 4),
    rests=st.just(()) | st.tuples(*[st.sampled_from([0.0, 0.0, 2.0, 20.0])] * 4),
    most=st.integers(1, 5),
    hedge_after=st.sampled_from([None, 1.5]),
    seconds=st.integers(1, 40),
    ratio=st.sampled_from([0.0, 0.5]),
    reserve=st.sampled_from([0.0, 0.5]),
)


class World:
    """Obeys a call, and holds it to what must always be true."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now = 1_000.0
        self.expires_at = self.now + setting.seconds
        self.budget = _CountingBudget(setting.ratio, setting.reserve)
        pacing = a_pacing(max_attempts=setting.most, hedge_after=setting.hedge_after, budget=self.budget)
        ready = [self.now + seconds for seconds in setting.rests[: setting.offers]]
        self.call = Call(setting.offers, pacing, expires_at=self.expires_at, ready=ready)
        self.open: set[int] = set()
        self.opened = 0
        self.fresh = {rank for rank in range(setting.offers) if not setting.rests or not setting.rests[rank]}
        self.spoiled: frozenset[int] = frozenset()
        self.wake_at: float | None = None
        self.winner: int | None = None
        self.is_over = False
        self._obey(self.call.start(self.now))

    def pass_time(self, seconds: float, event: Event) -> None:
        """What has no reason to wake earlier wakes when it's time."""
        self.now += seconds
        if isinstance(event, Woke) and self.wake_at is not None and seconds != _EARLY:
            self.now = max(self.now, self.wake_at)

    def tell(self, event: Event) -> tuple[Command, ...]:
        """An attempt that has ended is no longer on its way when the call hears of it."""
        match event:
            case Broke(attempt, _, spoiled):
                if attempt in self.open:
                    self.spoiled |= spoiled
                    self.fresh -= spoiled
                self.open.discard(attempt)
            case Ended(attempt) | Denied(attempt):
                self.open.discard(attempt)
            case Woke():
                self.wake_at = None
        commands = self.call.tell(event, self.now)
        self._obey(commands)
        assert self.is_over or self.open or self.wake_at is not None, "it waits for nothing"
        is_waiting = not self.open
        assert self.budget.paid <= self.call.attempts + is_waiting, "it pays for what was not begun"
        return commands

    def _obey(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            assert not self.is_over, "it goes on after its end"
            match command:
                case Open(attempt, rank):
                    self._opens(attempt, rank)
                case Commit(attempt):
                    assert self.winner is None, "it commits twice"
                    assert {attempt} == self.open, "it commits with others on their way"
                    self.winner = attempt
                case Cancel(attempt):
                    self.open.remove(attempt)
                case Wake(at):
                    assert at >= self.now
                    self.wake_at = at
                case Finish(attempt, is_complete):
                    assert self.winner == attempt
                    assert attempt is not None or not is_complete
                    self.is_over = True
                case Fail():
                    assert self.winner is None, "it fails after its commit"
                    assert self.call.failures
                    self.is_over = True
                case _ as never:
                    assert_never(never)
        assert self.is_over is self.call.is_over
        assert not (self.is_over and self.open), "it leaves attempts behind"

    def _opens(self, attempt: int, rank: int) -> None:
        assert self.winner is None, "it opens an offer after its commit"
        assert self.opened == attempt
        assert 0 <= rank < self.setting.offers
        assert rank not in self.spoiled, "it opens an offer that is ruled out"
        assert rank == min(self.fresh, default=rank), "it skips a cheaper offer"
        assert attempt == 0 or self.now < self.expires_at, "it begins what can't end in time"
        self.opened += 1
        self.fresh.discard(rank)
        self.open.add(attempt)
        assert self.call.attempts <= self.setting.most
        assert self.call.attempts - 1 <= self.budget.paid, "a retry is not paid for"


def history(data: st.DataObject, world: World) -> Iterator[Event]:
    """So many events, each possible when it comes."""
    for _ in range(data.draw(st.integers(0, 12))):
        if world.is_over:
            return
        event = data.draw(_possible(world))
        world.pass_time(data.draw(st.sampled_from([0.0, _EARLY, 0.5, 5.0])), event)
        yield event


def to_the_end(world: World, *, is_let_in: bool = True) -> Iterator[Event]:
    """Every attempt ends, or is not even let begin; in how many steps is bounded."""
    for _ in range(3 * (world.setting.most if is_let_in else world.setting.offers) + 4):
        if world.is_over:
            return
        event: Event = Woke()
        if world.winner is not None:
            event = Ended(world.winner)
        elif world.open and is_let_in:
            event = Broke(min(world.open), an_outcome())
        elif world.open:
            event = Denied(min(world.open), an_outcome(status=None), world.now)
        world.pass_time(0.0, event)
        yield event


def _possible(world: World) -> st.SearchStrategy[Event]:
    """What can happen now; a caller leaves only a call that has been through something."""
    events: list[st.SearchStrategy[Event]] = [st.just(DownstreamLeft())] if world.opened > 2 else []
    for attempt in sorted(world.open):
        spoiled = st.frozensets(st.integers(0, world.setting.offers - 1), max_size=2)
        events.append(st.builds(Broke, st.just(attempt), OUTCOMES, st.just(frozenset()) | spoiled))
        events.append(st.just(Ended(attempt) if attempt == world.winner else Answered(attempt)))
        if attempt != world.winner:
            until = st.sampled_from([None, world.now, world.now + 1.0, world.now + 20.0])
            events.append(st.builds(Denied, st.just(attempt), OUTCOMES, until))
    if world.wake_at is not None and world.winner is None:
        events.append(st.just(Woke()))
    return st.one_of(events)


class _CountingBudget(RetryBudget):
    """A real budget that remembers what it paid for."""

    paid = 0

    def withdraw(self, now: float) -> bool:
        """As a budget does."""
        is_paid = super().withdraw(now)
        self.paid += is_paid
        return is_paid

    def refund(self) -> None:
        """As a budget does."""
        super().refund()
        self.paid -= 1
