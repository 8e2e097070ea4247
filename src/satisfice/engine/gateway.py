"""Owns all that runs: the catalog, the transport, the open calls; and the few lines of the hot path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Final, NamedTuple

from satisfice.attempt.pacing import Pacing
from satisfice.catalog.names import Named
from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import Clock, new_id
from satisfice.core.errors import AllResting, Draining, GatewayError, Internal
from satisfice.engine.attempt import Job, World
from satisfice.engine.driver import Drive, Seen
from satisfice.engine.memory import Memory
from satisfice.engine.refresher import Refresher
from satisfice.engine.relay import tell, tell_of
from satisfice.engine.sweep import Sweep
from satisfice.health.book import TroubleKind
from satisfice.ports import Downstream, Endpoint, Headers, OfferSource, QuoteSource, Transport
from satisfice.routing.conversation import NEW
from satisfice.routing.cost import Conditions
from satisfice.routing.policy import Asking, Policies, Strategy
from satisfice.routing.pool import Pool, Pools
from satisfice.routing.recent import Recent
from satisfice.routing.select import Decision, decide
from satisfice.wire.request import Dialect, Request

__all__ = ["Gateway", "Supply"]

_log: Final = logging.getLogger(__name__)
_LOOKED_AT: Final = 64
"""Offers that are looked at for one that could be tried, when all are left alone."""


_ROUND_ROBIN: Final = Strategy.ROUND_ROBIN
_GROUPS: Final = 4_096
"""Groups of calls whose turns are counted."""

_Group = tuple[str, tuple[str, ...]]
"""What calls that take turns with each other ask for, and the policies that bind them."""


def _group(pool: Pool) -> _Group:
    return pool.asked, tuple(policy.name for policy in pool.applied.binding)


class Supply(NamedTuple):
    """Who can be asked, and for what."""

    offers: Sequence[Offer]
    """Those that are fixed."""
    endpoints: Mapping[str, Endpoint]
    """Where providers are, by name."""
    sources: Sequence[OfferSource] = ()
    """Where more offers are found."""
    feeds: Sequence[QuoteSource] = ()
    """Where fresher prices are found."""
    named: Sequence[Named] = ()
    """Names that the operator gives models."""
    allow_unpriced: bool = False
    """Offers without a price may be used when none with one is left."""


class Gateway:
    """Answers calls with the offers of its catalog."""

    def __init__(
        self,
        supply: Supply,
        policies: Policies,
        *,
        pacing: Pacing,
        transport: Transport,
        clock: Clock,
        memory: Memory,
    ) -> None:
        """Who can be asked, what callers may have, how to retry; and what is known from earlier calls."""
        self._supply = supply
        self._policies = policies
        self.memory = memory
        """What calls have taught."""
        self._pools = self._pooled(self._build(supply.offers))
        self.refresher = Refresher(
            supply.offers,
            supply.sources,
            feeds=supply.feeds,
            build=partial(Catalog, named=supply.named),
            swap=self._swap,
            clock=clock,
        )
        self.clock = clock
        self.on_call: Callable[[Job, Seen], None] | None = None
        """Told of each call once it is over."""
        longest = max((endpoint.timeouts.total for endpoint in supply.endpoints.values()), default=0.0)
        self._world = World(transport, clock, supply.endpoints, pacing, longest, memory)
        self._turns = Recent[_Group, int](_GROUPS)
        self._sweep = Sweep()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def catalog(self) -> Catalog:
        """What can be bought now."""
        return self._pools.catalog

    @property
    def is_ready(self) -> bool:
        """There is something to sell."""
        return bool(self.catalog.offers)

    @property
    def open_calls(self) -> int:
        """How many calls are on their way."""
        return len(self._sweep)

    def start(self) -> None:
        """Begin to look for offers; needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._refreshing = self._loop.create_task(self.refresher.run())

    async def stop(self) -> None:
        """Stop looking for offers and close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])
        self._sweep.close()
        await self._world.transport.aclose()

    async def answer(
        self, dialect: Dialect, body: bytes, *, asking: Asking, headers: Headers, downstream: Downstream
    ) -> None:
        """Answer one call, whatever happens; `headers` are the caller's fields to hand on.

        If the body's end is not out when this returns, it is for the server to
        drop the connection, so that half an answer is not taken for a whole one.
        """
        clock = self.clock
        started = clock.now()
        request_id = new_id("req", clock)
        try:
            request = dialect.parse(body)
            decision = self._decide(dialect, request, asking=asking)
            self._take_turns(decision.pool)
        except GatewayError as error:
            tell(error, downstream, dialect=dialect, request_id=request_id)
        else:
            await self._drive(Job(request_id, request, dialect, decision, headers, started), downstream)
        await downstream.drain()

    def decide(self, dialect: Dialect, request: Request, *, asking: Asking) -> Decision:
        """Who would get this request now; `CallerError` or `AllResting` if nobody would. Nothing is changed by it."""
        memory, pool = self.memory, self._pool(dialect, request, asking=asking)
        now = self.clock.now()
        thread = NEW
        if pool.has_caches:
            session = asking.session or request.session
            if session is not None and asking.key is not None:
                session = f"{asking.key}/{session}"  # two callers may call theirs alike
            messages = dialect.messages(request)
            thread = memory.conversations.recognise(request, messages, session=session, now=now)
        pacing = self._world.pacing
        conditions = Conditions(
            now,
            memory.forecast,
            memory.charges,
            memory.conversations,
            memory.health,
            self.clock.chance,
            self._turns.get(_group(pool), 0) if self._turns else 0,
            pacing.longest_wait,
            pacing.probe_wait,
        )
        return decide(request, pool, thread=thread, conditions=conditions)

    def _take_turns(self, pool: Pool) -> None:
        """Where offers take turns, the next call of the same kind begins with the next one."""
        if pool.applied.strategy is _ROUND_ROBIN:
            group = _group(pool)
            self._turns.put(group, self._turns.get(group, 0) + 1)

    def _decide(self, dialect: Dialect, request: Request, *, asking: Asking) -> Decision:
        """The decision for a call that is to be made; if everybody is left alone, this call may try one of them."""
        try:
            decision = self.decide(dialect, request, asking=asking)
            # Who has somebody to ask at once, as nearly all have, waits for nothing.
            if not decision.candidates[0].ready or not self._waits_for_probe(decision):
                return decision
            if not self._hasten(dialect, request, asking=asking):
                return decision
        except AllResting:
            if not self._hasten(dialect, request, asking=asking):
                raise
        return self.decide(dialect, request, asking=asking)

    def _waits_for_probe(self, decision: Decision) -> bool:
        """Nobody can be asked now, and what comes of another call's probe may take as long as an answer."""
        first, now = decision.candidates[0], self.clock.now()
        if first.ready <= now:
            return False
        trouble = self.memory.health.trouble(first.offer, now)
        return trouble is not None and trouble.kind is TroubleKind.PROBING

    def _hasten(self, dialect: Dialect, request: Request, *, asking: Asking) -> bool:
        pool = self._pool(dialect, request, asking=asking)
        offers = tuple(islice(chain((each.offer for each in pool.offers), pool.unpriced), _LOOKED_AT))
        return self.memory.health.hasten(offers, self.clock.now())

    def _pool(self, dialect: Dialect, request: Request, *, asking: Asking) -> Pool:
        memory = self.memory
        if memory.has_new_lessons:
            memory.has_new_lessons = False
            self._pools.forget()
        applied = self._policies.match(asking, request.model, last_words=partial(dialect.last_words, request))
        return self._pools.find(request.model, applied, needs=request.needs)

    async def _drive(self, job: Job, downstream: Downstream) -> None:
        drive = Drive(self._world, job, downstream=downstream)
        error: GatewayError | None = None
        self._sweep.enter(drive)
        try:
            # With the loop given, asking for the task costs no system call.
            await drive.run(asyncio.current_task(self._loop))
        except asyncio.CancelledError:
            error = Draining("The gateway is stopping.")
            raise
        except Exception as bug:
            error = Internal("Something went wrong inside the gateway.")
            _log.error("%s: a bug of ours", job.request_id, exc_info=bug)
        finally:
            self._sweep.exit(drive)
            seen = drive.seen(error)
            self._learn(job, seen)
            if self.on_call is not None:
                self.on_call(job, seen)
            if seen.error is not None:
                tell_of(seen.error, job, downstream=downstream, retries=seen.retries)

    def _learn(self, job: Job, seen: Seen) -> None:
        """What a call took is what the next ones are expected to take."""
        offer, usage = seen.offer, seen.usage
        if offer is None or usage is None:
            return
        memory, decision = self.memory, job.decision
        if seen.is_complete:
            memory.forecast.learn(job.request, offer.model, kind=decision.kind, usage=usage)
        if decision.thread is not NEW:
            memory.conversations.note(decision.thread, offer, usage=usage, now=self.clock.now())
        if seen.charged is not None and offer.price is not None:
            memory.charges.note(offer, expected=offer.price.cost(usage), charged=seen.charged)

    def _build(self, offers: Iterable[Offer]) -> Catalog:
        return Catalog(offers, self._supply.named)

    def _pooled(self, catalog: Catalog) -> Pools:
        return Pools(catalog, self.memory.lessons, allow_unpriced=self._supply.allow_unpriced)

    def _swap(self, catalog: Catalog) -> None:
        self._pools = self._pooled(catalog)
        self.memory.charges.requote(catalog.offers)
        if len(self.refresher.found) == len(self._supply.sources):  # else nobody knows what the others have
            self.memory.health.forget(keep=catalog.offers)
