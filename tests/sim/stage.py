"""What stands around the real gateway in a simulation: offers that move, answers that are there at once, callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.catalog.listing import Listing
from satisfice.catalog.offers import Offer
from satisfice.config.schema import RoutingConfig
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.ports import Endpoint, Timeouts, Transport
from satisfice.routing.policy import Policies

if TYPE_CHECKING:
    from satisfice.ports import Headers, Sink

__all__ = ["CALL", "Caller", "WholeAnswer", "a_gateway", "an_answer"]

CALL: Final = b"x-call"
"""The field that tells an upstream of ours which call it is."""


def a_gateway(
    offers: Callable[[], tuple[Offer, ...]],
    transport: Transport,
    *,
    clock: ManualClock,
    memory: Memory,
    patience: float,
) -> Gateway:
    """The gateway as it is without a configuration, but that it looks for prices every few seconds."""
    routing = RoutingConfig()
    endpoints = {
        offer.provider: Endpoint(
            provider=offer.provider, url=f"sim://{offer.provider}", timeouts=Timeouts(first_byte=patience)
        )
        for offer in offers()
    }
    return Gateway(
        Supply((), endpoints, sources=(_Quotes(offers),)),
        Policies(),
        pacing=Pacing(
            Backoff(routing.backoff_initial, routing.backoff_max, chance=clock.chance),
            RetryBudget(routing.retry_ratio, routing.retry_reserve),
            routing.max_attempts,
        ),
        transport=transport,
        clock=clock,
        memory=memory,
    )


class _Quotes:
    """Fills `OfferSource` with whatever is offered at the moment."""

    name = "market"
    period = 10.0

    def __init__(self, offers: Callable[[], tuple[Offer, ...]]) -> None:
        self._offers = offers

    async def fetch(self) -> Listing:
        return Listing(offers=self._offers())


class WholeAnswer:
    """Fills `Answer`: all of it is here."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Headers = ()) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self, limit: int) -> bytes:
        if len(self._body) > limit:
            raise Broken(Break.TOO_LARGE)
        return self._body

    async def chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def pump(self, sink: Sink) -> bool:
        return sink(await self.chunk())

    def flow(self, *, is_endless: bool = False) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def an_answer(*usage: bytes) -> WholeAnswer:
    """A chat completion with these members of its usage object."""
    return WholeAnswer(200, b'{"choices":[{"message":{"content":"Yes."}}],"usage":{%b}}' % b",".join(usage))


class Caller:
    """Fills `Downstream`: takes what comes and stays to the end."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        """About to ask."""
        self.status = 0

    def start(self, status: int, headers: Headers) -> None:
        self.status = status

    def write(self, data: bytes) -> bool:
        return True

    def end(self, data: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    async def left(self) -> None:
        await asyncio.get_running_loop().create_future()
