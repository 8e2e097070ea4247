"""Runs one `Call` against the transport: the only place where a machine meets I/O.

The first attempt runs in the caller's own frame, without a task or a timer of
its own; only hedges make tasks. Chunks of a stream never pass through here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, assert_never

import msgspec

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
from satisfice.attempt.outcome import Fault, Outcome, summarise
from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Draining, GatewayError
from satisfice.engine.attempt import Held, Job, Refused, Relayed, World, attempt
from satisfice.engine.relay import Account, bill, relay, relay_refusal
from satisfice.engine.visit import Visit, denial
from satisfice.health.book import Trouble, TroubleKind
from satisfice.ports import Downstream

__all__ = ["Drive", "Seen"]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What there is to tell of a call once it is over."""

    offer: Offer | None
    """Who answered; None: nobody."""
    usage: Usage | None
    """None: not said. Of an answer that was cut: what was said up to then."""
    cost: Msat | None
    """None: not known, which is not the same as nothing."""
    charged: Msat | None
    """What the provider says it took; None: it didn't."""
    retries: int
    is_complete: bool
    """The caller has had the whole answer."""
    has_left: bool
    """The caller went before the end."""
    failures: Sequence[tuple[str, Outcome]]
    """Providers and outcomes of the attempts that failed, in order."""
    error: GatewayError | None = None
    """The caller has seen nothing yet and is to be told this."""

    @property
    def provider(self) -> str | None:
        """Who answered; None: nobody."""
        return None if self.offer is None else self.offer.provider


class Drive:
    """One call on its way."""

    __slots__ = (
        "_account",
        "_call",
        "_committed",
        "_error",
        "_fresh",
        "_has_left",
        "_held",
        "_is_over",
        "_job",
        "_refusals",
        "_task",
        "_tasks",
        "_visits",
        "_waits_for_probe",
        "_wake_at",
        "_winner",
        "_world",
        "downstream",
    )

    def __init__(self, world: World, job: Job, *, downstream: Downstream) -> None:
        """Nothing happens before `run`."""
        self.downstream = downstream
        """Who asked."""
        self._world = world
        self._job = job
        candidates = job.decision.candidates
        ready = [each.ready for each in candidates] if candidates[0].ready else ()
        self._call = Call(
            len(candidates),
            world.pacing,
            expires_at=job.started + world.longest,
            ready=ready,
            is_probe=candidates[0].is_probe,
        )
        self._fresh: list[Open] = []  # to be begun
        self._tasks: dict[int, asyncio.Task[Event]] = {}  # begun beside others
        self._held: dict[int, Held] = {}  # answered
        self._visits: dict[int, Visit] = {}  # under way
        self._waits_for_probe = bool(ready)
        self._wake_at: float | None = None
        self._winner = 0
        self._committed: Held | None = None
        self._account: Account | None = None
        self._refusals: dict[int, Relayed | None] = {}  # by rank
        self._error: GatewayError | None = None
        self._task: asyncio.Task[object] | None = None
        self._has_left = False
        self._is_over = False

    def leave(self) -> None:
        """The caller has gone: stop, wherever the call is. Who has had the end has not left before it."""
        if self._task is not None and not self._is_over and self._account is None:
            self._has_left = True
            self._task.cancel()

    async def run(self, task: asyncio.Task[object] | None) -> None:
        """Try, commit and relay; `task` is the one this runs in, to be stopped by `leave`.

        However this ends, `seen` tells what came of it. If it is cancelled, the
        caller of a stream is told that it breaks off.
        """
        self._task = task
        now = self._world.clock.now
        try:
            self._obey(self._call.start(now()))
            while not self._is_over:
                event = await self._next_event()
                self._obey(self._call.tell(event, now()))
            if self._committed is None:
                self._fail()
        except asyncio.CancelledError:
            if not self._has_left or task is None:
                self._break_off()
                raise
            task.uncancel()
            self._obey(self._call.tell(DownstreamLeft(), now()))
        finally:
            if self._tasks or self._account is None:
                await self._drop_all()

    def seen(self, error: GatewayError | None = None) -> Seen:
        """What came of it; `error` is what ended it from outside."""
        held, account = self._committed, self._account
        so_far = account or (_NOTHING if held is None else bill(held))
        return Seen(
            offer=None if held is None else held.offer,
            usage=so_far.usage,
            cost=so_far.cost,
            charged=so_far.charged,
            retries=self._retries,
            is_complete=account is not None and account.failure is None,
            has_left=self._has_left,
            failures=self._failures() if self._call.failures else (),
            error=self._error if error is None or held is not None else error,
        )

    @property
    def _retries(self) -> int:
        return max(0, self._call.attempts - 1)

    def _break_off(self) -> None:
        """The gateway stops in the middle of a call: a stream is not to end as if it were whole."""
        if self._committed is not None and self._account is None and self._job.request.stream:
            error = Draining("The gateway is stopping.")
            self.downstream.end(self._job.dialect.error_event(error, self._job.request_id))

    def _obey(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            match command:
                case Open():
                    self._fresh.append(command)
                case Commit():
                    self._winner = command.attempt
                    self._committed = self._held.pop(command.attempt)
                case Finish() | Fail():
                    self._is_over = True
                case Wake():
                    self._wake_at = command.at
                case Cancel():
                    self._cancel(command.attempt, commands[-1])
                case _ as never:
                    assert_never(never)

    def _next_event(self) -> Awaitable[Event]:
        if self._committed is not None:
            return self._relay(self._committed)
        if self._wake_at is None and not self._tasks and len(self._fresh) == 1:
            return self._attempt(self._fresh.pop())
        return self._race()

    async def _attempt(self, opened: Open) -> Event:
        number = opened.attempt
        visit = self._world.enter(self._job.decision.candidates[opened.rank].offer)
        if isinstance(visit, Trouble):
            self._waits_for_probe = True
            return self._denied(opened, visit)
        self._visits[number] = visit
        try:
            self._held[number] = await attempt(self._world, self._job, rank=opened.rank)
        except Refused as refused:
            self._refusals[opened.rank] = refused.relayed
            self._judge(visit, refused.outcome, rank=opened.rank)
            return Broke(number, refused.outcome, self._spoiled(opened.rank, refused))
        visit.answered()
        return Answered(number)

    def _denied(self, opened: Open, trouble: Trouble) -> Denied:
        """Its breaker has not let it in. What comes of another call's probe is waited for once, and only so long."""
        now, until = self._world.clock.now(), trouble.until
        has_waited = self._job.decision.candidates[opened.rank].ready > 0.0
        if trouble.kind is TroubleKind.PROBING:
            until = min(until, now + self._world.pacing.probe_wait)
        return Denied(opened.attempt, denial(trouble, now), None if has_waited else until)

    def _judge(self, visit: Visit, outcome: Outcome, *, rank: int | None = None) -> None:
        """Tell what an attempt at this rank has come to; None: it was the one that has been committed."""
        is_repeat = any(rank == each for each, _ in self._call.failures)
        self._world.memory.judge(visit, outcome, needs=self._job.request.needs, is_repeat=is_repeat)

    def _spoiled(self, rank: int, refused: Refused) -> frozenset[int]:
        """Which offers a failure rules out: one whose time is over, and all that don't take longer prompts than it."""
        outcome = refused.outcome
        if refused.is_spent:
            return frozenset((rank,))
        if outcome.fault is not Fault.CONTEXT:
            return _NONE
        candidates, lessons = self._job.decision.candidates, self._world.memory.lessons
        window = outcome.learnt_context or candidates[rank].offer.capabilities.context or 0
        windows = [lessons.apply(each.offer).capabilities.context for each in candidates]
        return frozenset(number for number, each in enumerate(windows) if each is not None and each <= window)

    async def _relay(self, held: Held) -> Event:
        retries = self._retries
        account = await relay(self._job, held, downstream=self.downstream, retries=retries)
        self._account = account
        visit = self._visits[self._winner]
        if account.failure is None:
            visit.ended(account.usage)
            return Ended(self._winner)
        if account.failure.is_final:
            visit.dropped()  # a caller who reads no more has held it up for as long as a call may take
        else:
            self._judge(visit, account.failure)
        return Broke(self._winner, account.failure)

    async def _race(self) -> Event:
        """Several attempts at once, or time to wait for: whichever news comes first."""
        for opened in self._fresh:
            self._tasks[opened.attempt] = asyncio.create_task(self._attempt(opened))
        self._fresh.clear()
        left = None if self._wake_at is None else max(0.0, self._wake_at - self._world.clock.now())
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        else:
            done = set()
            await self._wait(left or 0.0)
        for number, task in self._tasks.items():
            if task in done:
                del self._tasks[number]
                return task.result()
        self._wake_at = None
        return Woke()

    async def _wait(self, seconds: float) -> None:
        """Until it is time; for another call's probe only until its news is here."""
        if self._waits_for_probe:
            self._waits_for_probe = False
            await self._world.memory.changed(seconds)
        else:
            await asyncio.sleep(seconds)

    def _cancel(self, number: int, last: Command) -> None:
        """Drop an attempt. That one which was begun after it has answered first is a failure of its offer."""
        if number in self._tasks:
            self._tasks[number].cancel()
        if number in self._held:
            self._held.pop(number).answer.abort()
        visit = self._visits.get(number)  # a task may be cancelled before it has begun
        if visit is not None:
            if isinstance(last, Commit) and number < last.attempt and visit.first_output is None:
                visit.failed(_BEATEN, is_repeat=False)
            visit.dropped()

    async def _drop_all(self) -> None:
        """Nothing goes on upstream for a call that is over."""
        if self._committed is not None and self._account is None:
            self._committed.answer.abort()
        for held in self._held.values():
            held.answer.abort()
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        for visit in self._visits.values():
            visit.dropped()

    def _fail(self) -> None:
        """Nobody answered: what the last one said of the caller's own mistake is relayed, all else is ours to tell."""
        failures = self._call.failures
        rank, last = failures[-1]
        is_callers = last.fault is Fault.CALLER or all(outcome.fault.is_about_call for _, outcome in failures)
        refusal = self._refusals.get(rank) if is_callers else None
        if refusal is None:
            self._error = summarise(self._failures())
        else:
            relay_refusal(self._job, refusal, downstream=self.downstream, retries=self._retries)

    def _failures(self) -> list[tuple[str, Outcome]]:
        candidates = self._job.decision.candidates
        return [(candidates[rank].offer.provider, outcome) for rank, outcome in self._call.failures]


_NONE: Final[frozenset[int]] = frozenset()
_BEATEN: Final = Outcome(Fault.UPSTREAM, "slower than the offer that was asked after it")
_NOTHING: Final = Account(None, None, None, None)
