"""Gateways whose offers have been found and tried already, without a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from satisfice.catalog.listing import Listing, Quotes
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.health.book import Permit
from satisfice.routing.policy import Policies
from satisfice.transport.scripted import ScriptedTransport
from tests.engine.stage import a_pace

if TYPE_CHECKING:
    from satisfice.catalog.names import Named
    from satisfice.catalog.offers import Offer

__all__ = ["Feed", "Source", "a_gateway", "fail", "permit", "rest", "succeed"]


class Source:
    """A provider's list; without anything to say it is not there."""

    period = 300.0

    def __init__(self, name: str = "acme", says: Listing | None = None) -> None:
        """It says the same each time."""
        self.name = name
        self.says = says

    async def fetch(self) -> Listing:
        if self.says is None:
            raise Broken(Break.REFUSED)
        return self.says


class Feed:
    """A market feed."""

    name = "market"
    period = 60.0

    def __init__(self, says: Quotes) -> None:
        """It says the same each time."""
        self.says = says

    async def fetch(self) -> Quotes:
        return self.says


def a_gateway(
    offers: Sequence[Offer] = (),
    clock: ManualClock | None = None,
    *,
    sources: Sequence[Source] = (),
    feeds: Sequence[Feed] = (),
    named: Sequence[Named] = (),
) -> Gateway:
    """A gateway that only looks: nobody is behind its offers."""
    clock = clock or ManualClock()
    return Gateway(
        Supply(offers, {}, sources=sources, feeds=feeds, named=named),
        Policies(),
        pacing=a_pace(),
        transport=ScriptedTransport({}, clock),
        clock=clock,
        memory=Memory(clock),
    )


def permit(gateway: Gateway, offer: Offer) -> Permit:
    """Leave to make an attempt there."""
    admitted = gateway.memory.health.admit(offer, gateway.clock.now(), lease=30.0)
    assert isinstance(admitted, Permit)
    return admitted


def fail(gateway: Gateway, offer: Offer, *, times: int = 3, is_providers: bool = False) -> None:
    """So many attempts fail there: by default as many as open a breaker."""
    for _ in range(times):
        gateway.memory.health.fail(
            permit(gateway, offer), gateway.clock.now(), error="status 500", is_providers=is_providers
        )


def succeed(gateway: Gateway, offer: Offer) -> None:
    """An attempt goes well there: the first output after half a second, then twenty tokens in a second."""
    gateway.memory.health.succeed(permit(gateway, offer), gateway.clock.now(), first_byte=0.5, seconds=1.5, tokens=20)


def rest(gateway: Gateway, offer: Offer, *, seconds: float = 20.0) -> None:
    """It asks to be left alone."""
    gateway.memory.health.rest(
        permit(gateway, offer), gateway.clock.now(), seconds=seconds, error="status 429", whole_provider=False
    )
