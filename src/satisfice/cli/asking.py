"""Asks providers once what they sell, for the commands that only look."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from satisfice.catalog.offers import Catalog
from satisfice.cli import render
from satisfice.cli.exits import Unreachable
from satisfice.cli.plan import Plan, plan
from satisfice.core.clock import SystemClock
from satisfice.engine.assembly import gateway_for, memory_for, scripted_gateway
from satisfice.engine.gateway import Gateway
from satisfice.transport.client import HTTPTransport
from satisfice.transport.scenario import scenario
from satisfice.transport.scripted import ScriptedTransport

__all__ = ["Market", "ask", "market"]


class Market(NamedTuple):
    """What can be bought."""

    gateway: Gateway
    failures: Mapping[str, str]
    """Why providers could not be asked, by their names."""

    @property
    def catalog(self) -> Catalog:
        """All offers."""
        return self.gateway.catalog


def market(config_file: Path | None, *, from_demo: bool) -> Market:
    """What the providers of a configuration sell, or those of the demo; `Unreachable` if there is nothing at all.

    Those that don't answer are named on stderr.
    """
    if from_demo:
        played, clock = scenario("demo"), SystemClock()
        return Market(scripted_gateway(played, ScriptedTransport(played, clock), clock=clock), {})
    made = plan(config_file, os.environ, shows_warnings=False)
    found = asyncio.run(ask(made))
    for name, why in found.failures.items():
        render.note(f"{render.doubtful('!')} {name}: {why}")
    if not found.catalog.offers:
        raise Unreachable(
            "No provider has answered with a model." if made.providers else "There is no provider to ask.",
            hint="satisfice check   is the configuration right?\nsatisfice demo    try it without providers",
        )
    return found


async def ask(made: Plan) -> Market:
    """Ask all providers at once. One that may not be there and isn't is no failure."""
    clock = SystemClock()
    memory = memory_for(made.config, clock)
    transport = HTTPTransport(clock, os.environ)
    gateway = gateway_for(made.config, transport, clock=clock, memory=memory, maybe=made.maybe)
    refresher = gateway.refresher
    try:
        async with asyncio.timeout(_PATIENCE):
            await refresher.refresh()
    except TimeoutError:
        pass
    finally:
        await gateway.stop()
    failures = {
        provider.name: refresher.failures.get(provider.name, f"no answer in {_PATIENCE:g} s")
        for provider in made.config.providers
        if provider.list_models and provider.name not in refresher.found
    }
    return Market(gateway, failures)


_PATIENCE: Final = 10.0
