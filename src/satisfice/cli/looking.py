"""Tells what each provider said when it was asked for its models, as the answers come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from satisfice.cli.events import Looked, Provider
from satisfice.cli.log import Log
from satisfice.cli.plan import Plan
from satisfice.config.schema import ProviderConfig
from satisfice.engine.gateway import Gateway

__all__ = ["look", "watch"]


async def look(gateway: Gateway, made: Plan, *, log: Log) -> None:
    """Tell each provider's first answer, then sum up.

    The sum waits for nobody longer than a few seconds; those that are still silent by then are named in it.
    """
    told: dict[str, str | None] = {}
    try:
        async with asyncio.timeout(_PATIENCE):
            while not gateway.refresher.has_looked.is_set():
                _tell(gateway, made, log=log, told=told)
                # The refresher tells nobody but the gateway; for people, to look at it now and then is enough.
                await asyncio.sleep(_WINK)
    except TimeoutError:
        pass
    _tell(gateway, made, log=log, told=told)
    log.tell(_sum(gateway, made, told=told))


async def watch(gateway: Gateway, made: Plan, *, log: Log) -> None:
    """Tell what changes after that, until cancelled."""
    told = {event.provider: event.failure for event in _news(gateway, made)}
    while True:
        await asyncio.sleep(_WHILE)
        _tell(gateway, made, log=log, told=told)


_WINK: Final = 0.05
_WHILE: Final = 5.0
_PATIENCE: Final = 3.0


def _sum(gateway: Gateway, made: Plan, *, told: Mapping[str, str | None]) -> Looked:
    catalog = gateway.catalog
    absent = [made.where[each.name] for each in made.maybe if each.name not in told]
    return Looked(
        time_ms=gateway.clock.unix_ms(),
        models=len(catalog.models),
        providers=len({offer.provider for offer in catalog.offers}),
        silent=tuple(each.name for each in made.config.providers if each.name not in told),
        absent=(*made.missing, *absent),
    )


def _tell(gateway: Gateway, made: Plan, *, log: Log, told: dict[str, str | None]) -> None:
    """Tell what is known of a provider, if that has changed."""
    for event in _news(gateway, made):
        if told.get(event.provider, "") != event.failure:
            told[event.provider] = event.failure
            log.tell(event)


def _news(gateway: Gateway, made: Plan) -> Iterator[Provider]:
    """What is known of each provider about whom anything is known; one that may not be there and isn't is no news."""
    refresher = gateway.refresher
    models = Counter(offer.provider for offer in gateway.catalog.offers)
    for provider in made.config.providers:
        if not provider.list_models or provider.name in refresher.found or provider.name in refresher.failures:
            yield _event(gateway, made, provider=provider, models=models[provider.name])
    for provider in made.maybe:
        if provider.name in refresher.found:
            yield _event(gateway, made, provider=provider, models=models[provider.name])


def _event(gateway: Gateway, made: Plan, *, provider: ProviderConfig, models: int) -> Provider:
    return Provider(
        time_ms=gateway.clock.unix_ms(),
        provider=provider.name,
        where=made.where.get(provider.name, ""),
        models=models,
        is_free=provider.free,
        failure=gateway.refresher.failures.get(provider.name),
    )
