"""Builds a gateway from what an operator decided, or from a scenario of scripted providers."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.config.schema import Config, HealthConfig, ProviderConfig, RoutingConfig
from satisfice.core.clock import Clock
from satisfice.discovery.feeds import ModelListSource
from satisfice.discovery.market import MarketSource
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.ports import Endpoint, Transport
from satisfice.routing.policy import Policies
from satisfice.transport.scenario import Scenario

__all__ = ["gateway_for", "memory_for", "scripted_gateway"]


def gateway_for(
    config: Config, transport: Transport, *, clock: Clock, memory: Memory, maybe: Sequence[ProviderConfig] = ()
) -> Gateway:
    """The gateway of a configuration; `maybe` are providers that are asked for models but may not be there.

    What the configuration says of a provider counts over a guess of the same name.
    """
    providers = tuple({provider.name: provider for provider in (*maybe, *config.providers)}.values())
    endpoints = {provider.name: provider.endpoint for provider in providers}
    supply = Supply(
        offers=[offer for provider in providers for offer in provider.offers],
        endpoints=endpoints,
        sources=[
            ModelListSource(
                transport,
                provider.endpoint,
                is_free=provider.free,
                usd_per_btc=config.usd_per_btc,
                traits=provider.traits,
            )
            for provider in providers
            if provider.list_models
        ],
        feeds=[
            MarketSource(
                transport,
                Endpoint(provider=feed.name, url=feed.url),
                providers=endpoints.values(),
                max_age=feed.max_age,
                period=feed.period,
                clock=clock,
            )
            for feed in config.feeds
        ],
        named=config.models,
        allow_unpriced=config.routing.allow_unpriced,
    )
    return Gateway(
        supply,
        _policies(config),
        pacing=_pacing(config.routing, config.health, clock=clock),
        transport=transport,
        clock=clock,
        memory=memory,
    )


def memory_for(config: Config, clock: Clock) -> Memory:
    """A memory with nothing in it yet, that judges as the configuration says."""
    providers = config.providers
    return Memory(
        clock,
        limits=config.health.limits,
        special={each.name: each.limits for each in providers if each.limits is not None},
        lifetimes={each.name: each.cache_lifetime for each in providers if each.cache_lifetime is not None},
    )


def scripted_gateway(scenario: Scenario, transport: Transport, *, clock: Clock) -> Gateway:
    """The gateway of a demo."""
    return Gateway(
        Supply(
            offers=scenario.offers,
            endpoints={endpoint.provider: endpoint for endpoint in scenario.endpoints},
            allow_unpriced=True,
        ),
        Policies(),
        pacing=_pacing(RoutingConfig(), HealthConfig(), clock=clock),
        transport=transport,
        clock=clock,
        memory=Memory(clock),
    )


def _policies(config: Config) -> Policies:
    return Policies(
        config.policies,
        config.routing.policy,
        by_key={each.name: each.policy for each in config.keys if each.policy is not None},
        by_model={each.name: each.policy for each in config.models if each.policy is not None},
        aliases={alias: each.name for each in config.models for alias in each.aliases},
    )


def _pacing(routing: RoutingConfig, health: HealthConfig, *, clock: Clock) -> Pacing:
    return Pacing(
        Backoff(routing.backoff_initial, routing.backoff_max, chance=clock.chance),
        RetryBudget(routing.retry_ratio, routing.retry_reserve),
        routing.max_attempts,
        hedge_after=routing.hedge_after,
        probe_wait=health.probe_wait,
    )
