"""Runs one `Call` against the transport: the only place where a machine meets I/O.

The first attempt runs in the caller's own frame, without a task or a timer of
its own; only hedges make tasks. Chunks of a stream never pass through here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

import msgspec

from satisfice.attempt.machine import (
    Answered,
    Broke,
    Call,
    Cancel,
    Command,
    Commit,
    DownstreamLeft,
    Ended,
    Event,
    Fail,
    Finish,
    Open,
    Wake,
    Woke,
)
from satisfice.attempt.outcome import Outcome, summarise
from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Draining, GatewayError
from satisfice.engine.attempt import Held, Job, Refused, Relayed, World, attempt
from satisfice.engine.relay import Account, relay, relay_refusal
from satisfice.ports import Downstream

__all__ = ["Drive", "Seen"]


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What there is to tell of a call once it is over."""

    provider: str | None
    """Who answered; None: nobody."""
    usage: Usage | None
    cost: Msat | None
    """None: not known, which is not the same as nothing."""
    retries: int
    is_complete: bool
    """The caller has had the whole answer."""
    has_left: bool
    """The caller went before the end."""
    failures: Sequence[tuple[str, Outcome]]
    """Providers and outcomes of the attempts that failed, in order."""
    error: GatewayError | None = None
    """The caller has seen nothing yet and is to be told this."""


class Drive:
    """One call on its way."""

    __slots__ = (
        "_account",
        "_call",
        "_committed",
        "_fresh",
        "_has_left",
        "_held",
        "_is_over",
        "_job",
        "_refusal",
        "_task",
        "_tasks",
        "_wake_at",
        "_winner",
        "_world",
        "downstream",
    )

    def __init__(self, world: World, job: Job, downstream: Downstream) -> None:
        """Nothing happens before `run`."""
        self.downstream = downstream
        """Who asked."""
        self._world = world
        self._job = job
        self._call = Call(len(job.candidates), world.pacing, job.started + world.longest)
        self._fresh: list[Open] = []  # to be begun
        self._tasks: dict[int, asyncio.Task[Event]] = {}  # begun beside others
        self._held: dict[int, Held] = {}  # answered
        self._wake_at: float | None = None
        self._winner = 0
        self._committed: Held | None = None
        self._account: Account | None = None
        self._refusal: Relayed | None = None
        self._task: asyncio.Task[object] | None = None
        self._has_left = False
        self._is_over = False

    def leave(self) -> None:
        """The caller has gone: stop, wherever the call is."""
        if self._task is not None and not self._is_over:
            self._has_left = True
            self._task.cancel()

    async def run(self, task: asyncio.Task[object] | None) -> Seen:
        """Try, commit, relay, and tell what came of it; `task` is the one this runs in, to be stopped by `leave`."""
        self._task = task
        now = self._world.clock.now
        try:
            self._obey(self._call.start(now()))
            while not self._is_over:
                event = await self._next_event()
                self._obey(self._call.tell(event, now()))
        except asyncio.CancelledError:
            if not self._has_left or self._task is None:
                self._break_off()
                raise
            self._task.uncancel()
            self._obey(self._call.tell(DownstreamLeft(), now()))
        finally:
            if self._tasks or self._held:
                await self._drop_all()
        if self._committed is None and not self._has_left:
            return await self._failed()
        return self._tell(self._account)

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
                case Commit(attempt):
                    self._winner = attempt
                    self._committed = self._held.pop(attempt)
                case Finish() | Fail():
                    self._is_over = True
                case Wake(at):
                    self._wake_at = at
                case Cancel(attempt):
                    self._cancel(attempt)
                case _ as never:
                    assert_never(never)

    async def _next_event(self) -> Event:
        if self._committed is not None:
            return await self._relay(self._committed)
        if self._wake_at is None and not self._tasks and len(self._fresh) == 1:
            return await self._attempt(self._fresh.pop())
        return await self._race()

    async def _attempt(self, opened: Open) -> Event:
        try:
            self._held[opened.attempt] = await attempt(self._world, self._job, opened.rank)
        except Refused as refused:
            self._refusal = refused.relayed
            return Broke(opened.attempt, refused.outcome)
        return Answered(opened.attempt)

    async def _relay(self, held: Held) -> Event:
        account = await relay(self._job, held, self.downstream, self._call.attempts - 1)
        self._account = account
        return Ended(self._winner) if account.failure is None else Broke(self._winner, account.failure)

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
            await asyncio.sleep(left or 0.0)
        for attempt, task in self._tasks.items():
            if task in done:
                del self._tasks[attempt]
                return task.result()
        self._wake_at = None
        return Woke()

    def _cancel(self, attempt: int) -> None:
        if attempt in self._tasks:
            self._tasks[attempt].cancel()
        if attempt in self._held:
            self._held.pop(attempt).answer.abort()

    async def _drop_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        for held in self._held.values():
            held.answer.abort()

    async def _failed(self) -> Seen:
        """Nobody answered: the caller's own mistake is relayed, any other failure is for our caller to tell."""
        if self._refusal is None:
            return self._tell(None, summarise(self._failures()))
        await relay_refusal(self._job, self._refusal, self.downstream, self._call.attempts - 1)
        return self._tell(None)

    def _tell(self, account: Account | None, error: GatewayError | None = None) -> Seen:
        return Seen(
            provider=None if self._committed is None else self._committed.offer.provider,
            usage=None if account is None else account.usage,
            cost=None if account is None else account.cost,
            retries=self._call.attempts - 1,
            is_complete=account is not None and account.failure is None,
            has_left=self._has_left,
            failures=self._failures() if self._call.failures else (),
            error=error,
        )

    def _failures(self) -> list[tuple[str, Outcome]]:
        return [(self._job.candidates[rank].offer.provider, outcome) for rank, outcome in self._call.failures]
