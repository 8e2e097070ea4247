"""Owns all that runs: the catalog, the transport, the open calls; and the few lines of the hot path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from satisfice.attempt.pacing import Pacing
from satisfice.catalog.offers import Catalog, Offer
from satisfice.core.clock import Clock, new_id
from satisfice.core.errors import Draining, GatewayError, Internal
from satisfice.engine.attempt import Job, World
from satisfice.engine.driver import Drive, Seen
from satisfice.engine.refresher import Refresher
from satisfice.engine.relay import tell
from satisfice.engine.sweep import Sweep
from satisfice.ports import Downstream, Endpoint, Headers, OfferSource, Transport
from satisfice.routing.select import decide
from satisfice.wire.request import Dialect

__all__ = ["Gateway"]

_log: Final = logging.getLogger(__name__)


class Gateway:
    """Answers calls with the offers of its catalog."""

    def __init__(
        self,
        *,
        offers: Sequence[Offer],
        endpoints: Mapping[str, Endpoint],
        sources: Sequence[OfferSource],
        pacing: Pacing,
        transport: Transport,
        clock: Clock,
    ) -> None:
        """Fixed offers, the providers' endpoints by name, where more offers are found, and how to retry."""
        self.catalog = Catalog(offers)
        self.refresher = Refresher(offers, sources, swap=self._swap)
        self.clock = clock
        self.on_call: Callable[[Job, Seen], None] | None = None
        """Told of each call once it is over."""
        longest = max((endpoint.timeouts.total for endpoint in endpoints.values()), default=0.0)
        self._world = World(transport, clock, endpoints, pacing, longest)
        self._sweep = Sweep()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refreshing: asyncio.Task[None] | None = None

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

    async def answer(self, dialect: Dialect, body: bytes, *, headers: Headers, downstream: Downstream) -> None:
        """Answer one call, whatever happens; `headers` are the caller's fields to hand on.

        If the body's end is not out when this returns, it is for the server to
        drop the connection, so that half an answer is not taken for a whole one.
        """
        clock = self.clock
        started = clock.now()
        request_id = new_id("req", clock)
        try:
            request = dialect.parse(body)
            candidates = decide(request, self.catalog)
        except GatewayError as error:
            tell(error, downstream, dialect=dialect, request_id=request_id)
        else:
            await self._drive(Job(request_id, request, dialect, candidates, headers, started), downstream)
        await downstream.drain()

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
            if self.on_call is not None:
                self.on_call(job, seen)
            if seen.error is not None:
                tell(seen.error, downstream, dialect=job.dialect, request_id=job.request_id, retries=seen.retries)

    def _swap(self, catalog: Catalog) -> None:
        self.catalog = catalog
