"""Builds a gateway from what an operator decided, or from a scenario of scripted providers."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.config.schema import Config, ProviderConfig, RoutingConfig
from satisfice.core.clock import Clock
from satisfice.discovery.feeds import ModelListSource
from satisfice.engine.gateway import Gateway
from satisfice.ports import Transport
from satisfice.transport.scenario import Scenario

__all__ = ["gateway_for", "scripted_gateway"]


def gateway_for(config: Config, transport: Transport, *, clock: Clock, maybe: Sequence[ProviderConfig] = ()) -> Gateway:
    """The gateway of a configuration; `maybe` are providers that are asked for models but may not be there.

    What the configuration says of a provider counts over a guess of the same name.
    """
    providers = tuple({provider.name: provider for provider in (*maybe, *config.providers)}.values())
    return Gateway(
        offers=[offer for provider in providers for offer in provider.offers],
        endpoints={provider.name: provider.endpoint for provider in providers},
        sources=[
            ModelListSource(transport, provider.endpoint, is_free=provider.free, usd_per_btc=config.usd_per_btc)
            for provider in providers
            if provider.list_models
        ],
        pacing=_pacing(config.routing, clock),
        transport=transport,
        clock=clock,
    )


def scripted_gateway(scenario: Scenario, transport: Transport, *, clock: Clock) -> Gateway:
    """The gateway of a demo."""
    return Gateway(
        offers=scenario.offers,
        endpoints={endpoint.provider: endpoint for endpoint in scenario.endpoints},
        sources=(),
        pacing=_pacing(RoutingConfig(), clock),
        transport=transport,
        clock=clock,
    )


def _pacing(routing: RoutingConfig, clock: Clock) -> Pacing:
    return Pacing(
        Backoff(routing.backoff_initial, routing.backoff_max, chance=clock.chance),
        RetryBudget(routing.retry_ratio, routing.retry_reserve),
        routing.max_attempts,
        hedge_after=routing.hedge_after,
    )
