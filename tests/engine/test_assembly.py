"""From a configuration, or from a scenario, to a gateway that answers."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.config.schema import Config, ProviderConfig, RoutingConfig
from satisfice.core.clock import ManualClock
from satisfice.engine.assembly import gateway_for, memory_for, scripted_gateway
from satisfice.engine.gateway import Gateway
from satisfice.ports import Endpoint, Timeouts
from satisfice.routing.policy import Asking
from satisfice.transport.scenario import Scenario, ScriptedProvider, scenario, shipped
from satisfice.transport.script import Script
from satisfice.transport.scripted import ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body, a_price, an_offer
from tests.engine.stage import WHOLE, Caller, an_error

_CHAT = OpenAIChat()


def _provider(name: str, *, list_models: bool = False, free: bool = False, total: float = 600.0) -> ProviderConfig:
    endpoint = Endpoint(provider=name, url=f"https://{name}.example/v1", timeouts=Timeouts(total=total))
    offers = () if list_models else (an_offer(name),)
    return ProviderConfig(endpoint=endpoint, offers=offers, list_models=list_models, free=free)


def _gateway(
    config: Config, transport: ScriptedTransport, clock: ManualClock, *, maybe: Sequence[ProviderConfig] = ()
) -> Gateway:
    return gateway_for(config, transport, clock=clock, memory=memory_for(config, clock), maybe=maybe)


async def _ask(gateway: Gateway, model: str = "small") -> Caller:
    caller = Caller()
    await gateway.answer(_CHAT, a_body(model), asking=Asking(), headers=(), downstream=caller)
    return caller


async def test_the_configured_offers_are_sold_from_the_start(clock: ManualClock) -> None:
    config = Config(providers=(_provider("acme"), _provider("bell")))
    transport = ScriptedTransport({"acme": Script().refuse(), "bell": WHOLE}, clock)

    caller = await _ask(_gateway(config, transport, clock))

    assert ["acme", "bell"] == [sent.provider for sent in transport.sent]
    assert "bell" == caller.header("x-satisfice-provider")


async def test_only_providers_that_list_models_are_asked_for_them(clock: ManualClock) -> None:
    names = ("acme", "bell", "core", "local")
    played = Scenario(tuple(ScriptedProvider(name, offers=(an_offer(name, "found"),)) for name in names))
    config = Config(
        providers=(
            _provider("acme"),
            _provider("bell", list_models=True, free=True),
            _provider("core", list_models=True),
        )
    )
    gateway = _gateway(config, ScriptedTransport(played, clock), clock, maybe=[_provider("local", list_models=True)])

    await gateway.refresher.refresh()

    assert {"bell", "core", "local"} == gateway.refresher.found.keys()
    prices = {offer.provider: offer.price for offer in gateway.catalog.find("found")}
    assert {"bell": a_price(0, 0), "core": None, "local": None} == prices


async def test_what_the_configuration_says_counts_over_a_guess(clock: ManualClock) -> None:
    """A provider that the operator named is not replaced by one that was found under the same name."""
    config = Config(providers=(_provider("acme", total=7.0),))
    transport = ScriptedTransport({"acme": Script().stall()}, clock)
    begun = clock.now()

    gateway = _gateway(config, transport, clock, maybe=[_provider("acme", list_models=True)])
    await gateway.refresher.refresh()
    caller = await _ask(gateway)

    assert {} == gateway.refresher.found
    assert 504 == caller.status
    assert begun + 7.0 == clock.now()


async def test_retries_are_paced_as_configured(clock: ManualClock) -> None:
    routing = RoutingConfig(max_attempts=2, backoff_initial=0.0, backoff_max=0.0)
    config = Config(providers=(_provider("acme"),), routing=routing)
    transport = ScriptedTransport({"acme": an_error(500)}, clock)

    caller = await _ask(_gateway(config, transport, clock))

    assert "1" == caller.header("x-satisfice-retries")


async def test_hedges_are_made_as_configured(clock: ManualClock) -> None:
    config = Config(providers=(_provider("acme"), _provider("bell")), routing=RoutingConfig(hedge_after=2.5))
    transport = ScriptedTransport({"acme": Script().stall(), "bell": WHOLE}, clock)
    begun = clock.now()

    caller = await _ask(_gateway(config, transport, clock))

    assert "bell" == caller.header("x-satisfice-provider")
    assert begun + 2.5 == clock.now()


async def test_a_scenario_is_a_gateway_of_its_own(clock: ManualClock) -> None:
    for name in shipped():
        played = scenario(name)
        gateway = scripted_gateway(played, ScriptedTransport(played, clock), clock=clock)

        caller = await _ask(gateway, played.offers[0].model)

        assert caller.has_end, name
        assert {offer.id for offer in played.offers} == {offer.id for offer in gateway.catalog.offers}
