"""From the tables of a file to what the gateway is built from."""

from __future__ import annotations

from collections.abc import Mapping

from satisfice.config.access import check_access
from satisfice.config.callers import KEYS, NAMES, POLICIES
from satisfice.config.naming import named_models
from satisfice.config.policing import Policing
from satisfice.config.pricing import Pricing
from satisfice.config.providers import FEEDS, PROVIDERS
from satisfice.config.reading import Reader
from satisfice.config.rules import keep_order
from satisfice.config.schema import (
    FILE,
    HEALTH,
    RATES,
    ROUTING,
    SERVER,
    Config,
    HealthConfig,
    RatesTable,
    RoutingConfig,
    ServerConfig,
)
from satisfice.config.supply import Supply

__all__ = ["assemble"]


def assemble(document: Mapping[str, object], reader: Reader) -> Config:
    """What the document says as far as it is right; what isn't is noted by the reader."""
    file = reader.file(FILE, document)
    server = reader.one(SERVER, file)
    routing = reader.one(ROUTING, file)
    rates = reader.one(RATES, file)
    health = reader.one(HEALTH, file)
    providers = reader.many(PROVIDERS, file)
    keys = reader.many(KEYS, file)
    names = reader.many(NAMES, file)

    check_access(server, keys, reader=reader)
    hint = "the first pause is the shortest: swap the two, or drop both"
    keep_order(reader, routing, low="backoff_initial", high="backoff_max", hint=hint)
    hint = "the first time is the shortest: swap the two, or drop both"
    keep_order(reader, health, low="open_for", high="open_max", hint=hint)
    policing = Policing(reader.many(POLICIES, file), providers, reader=reader)
    policing.check_named([routing, *keys, *names])
    allow_unpriced = routing.value is not None and routing.value.allow_unpriced
    pricing = Pricing(rates, reader, allow_unpriced=allow_unpriced)
    supply = Supply(pricing, health.value or HealthConfig(), reader=reader)
    return Config(
        server=server.value or ServerConfig(),
        routing=routing.value or RoutingConfig(),
        health=health.value or HealthConfig(),
        providers=supply.providers(providers),
        usd_per_btc=(rates.value or RatesTable()).usd_per_btc,
        feeds=supply.feeds(reader.many(FEEDS, file)),
        models=named_models(names, reader),
        policies=policing.policies(),
        keys=tuple(key.value for key in keys if key.value),
    )
