"""What is told of providers while they answer."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.cli import looking
from satisfice.cli.events import Event, Looked, Provider
from satisfice.cli.looking import look, watch
from satisfice.cli.plan import Plan
from satisfice.config.schema import Config, ProviderConfig
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.assembly import gateway_for, memory_for
from satisfice.engine.gateway import Gateway
from satisfice.ports import Endpoint, Sending
from satisfice.transport.scenario import Scenario, ScriptedProvider
from satisfice.transport.scripted import ScriptedAnswer, ScriptedTransport
from tests.build import an_offer

CLOCK = ManualClock()
SCENARIO = Scenario(tuple(ScriptedProvider(name, offers=(an_offer(name),)) for name in ("acme", "ollama")))


class Notes:
    """A log that only remembers, and can be waited for."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.news = asyncio.Event()

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.news.set()

    def hint(self, command: str, why: str) -> None: ...

    def close(self) -> None: ...


def listing(name: str) -> ProviderConfig:
    return ProviderConfig(endpoint=Endpoint(provider=name, url=f"script://{name}"), list_models=True)


FIXED = ProviderConfig(
    endpoint=Endpoint(provider="fixed", url="script://fixed"), offers=(an_offer("fixed", "large"),), list_models=False
)
PLAN = Plan(
    config=Config(providers=(FIXED, listing("acme"), listing("gone"))),
    file=None,
    maybe=(listing("ollama"), listing("vllm")),
    where={"acme": "ACME_API_KEY", "ollama": "localhost:11434", "vllm": "localhost:8000"},
    missing=("OTHER_API_KEY",),
)


def a_gateway(transport: ScriptedTransport | None = None) -> Gateway:
    return gateway_for(
        PLAN.config,
        transport or ScriptedTransport(SCENARIO, CLOCK),
        clock=CLOCK,
        memory=memory_for(PLAN.config, CLOCK),
        maybe=PLAN.maybe,
    )


async def test_each_provider_is_told_once_and_then_the_sum() -> None:
    """One that may not be there, and isn't, is no news, but is among what was looked for."""
    gateway, log = a_gateway(), Notes()
    gateway.start()

    await look(gateway, PLAN, log=log)
    await gateway.stop()

    now = CLOCK.unix_ms()
    *providers, total = log.told
    assert [
        Provider(now, "acme", "ACME_API_KEY", 1, is_free=False),
        Provider(now, "fixed", "", 1, is_free=False),
        Provider(now, "gone", "", 0, is_free=False, failure=Break.UNREACHABLE.value),
        Provider(now, "ollama", "localhost:11434", 1, is_free=False),
    ] == sorted(providers, key=lambda event: getattr(event, "provider", ""))
    assert Looked(now, models=2, providers=3, silent=(), absent=("OTHER_API_KEY", "localhost:8000")) == total


async def test_one_that_keeps_us_waiting_is_named_in_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked here at all, since the gateway hasn't been started."""
    monkeypatch.setattr(looking, "_PATIENCE", 0.01)
    gateway, log = a_gateway(), Notes()

    await look(gateway, PLAN, log=log)

    total = log.told[-1]
    assert isinstance(total, Looked)
    assert ("acme", "gone") == total.silent


class Moody(ScriptedTransport):
    """Of this scenario, but one provider of it may break."""

    mood: Break | None = None

    async def open(self, endpoint: Endpoint, sending: Sending) -> ScriptedAnswer:
        if endpoint.provider == "acme" and self.mood is not None:
            raise Broken(self.mood)
        return await super().open(endpoint, sending)


async def test_later_only_changes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_WHILE", 0.001)
    transport, log = Moody(SCENARIO, CLOCK), Notes()
    gateway = a_gateway(transport)
    await gateway.refresher.refresh()

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(gateway, PLAN, log=log))
        for mood in (Break.IDLE_TIMEOUT, Break.REFUSED):
            await asyncio.sleep(0.01)
            transport.mood = mood
            await gateway.refresher.refresh()
            await log.news.wait()
            log.news.clear()
        watching.cancel()

    assert [("acme", "fell silent"), ("acme", "connection refused")] == [
        (event.provider, event.failure) for event in log.told if isinstance(event, Provider)
    ]
