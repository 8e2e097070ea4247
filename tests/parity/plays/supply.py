"""What can be bought: by the operator's file, by the lists of providers, by the quotes of a market, and in the demo."""

from __future__ import annotations

import asyncio

import msgspec

from satisfice.core.clock import ManualClock
from satisfice.engine.assembly import scripted_gateway
from satisfice.routing.policy import Asking
from satisfice.transport.scenario import scenario
from satisfice.transport.script import Script
from satisfice.transport.scripted import ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body, a_price, an_offer
from tests.engine.stage import WHOLE, Caller, an_error
from tests.parity.calls import PAUSE
from tests.parity.shop import Shop, complaints, provider

__all__ = [
    "a_failed_list_is_no_wildcard",
    "a_feed_dies",
    "a_list_adds_to_what_is_fixed",
    "a_list_that_can_not_be_had",
    "a_model_found_later_has_a_breaker",
    "a_quote_for_one_model",
    "a_quote_without_a_price",
    "an_empty_list_is_no_wildcard",
    "dead_settings",
    "lists_are_not_asked_for_unless_wanted",
    "names_twice",
    "nonsense_in_numbers",
    "rates_of_another_unit",
    "the_catalog_changes_between_two_calls",
    "the_demo_has_providers_of_its_own",
    "wildcards_are_written_down",
]


async def a_list_adds_to_what_is_fixed(clock: ManualClock) -> None:
    """What the operator wrote stays, whether it is listed or not."""
    text = provider("acme", "fixed", settings="list_models = true")
    shop = Shop(text, {"acme": WHOLE}, clock, lists={"acme": [an_offer("acme", "found")]})

    await shop.gateway.refresher.refresh()

    assert ["fixed@acme", "found@acme"] == sorted(shop.ids)


async def a_list_that_can_not_be_had(clock: ManualClock) -> None:
    shop = Shop(provider("acme", "small", settings="list_models = true"), {}, clock)

    await shop.gateway.refresher.refresh()

    assert ["small@acme"] == shop.ids
    assert ["acme"] == list(shop.gateway.refresher.failures)


async def a_failed_list_is_no_wildcard(clock: ManualClock) -> None:
    """It costs nothing, so it would be the first choice for everything."""
    shop = Shop(provider("acme", settings="free = true") + provider("bell", "small"), {"bell": WHOLE}, clock)
    await shop.gateway.refresher.refresh()

    known, unknown = await shop.ask("small"), await shop.ask("any-other")

    assert ((200, 404), ["bell"]) == ((known.status, unknown.status), shop.tried)


async def an_empty_list_is_no_wildcard(clock: ManualClock) -> None:
    text = provider("acme", settings="free = true") + provider("bell", "small")
    shop = Shop(text, {"acme": WHOLE, "bell": WHOLE}, clock)
    await shop.gateway.refresher.refresh()

    known, unknown = await shop.ask("small"), await shop.ask("any-other")

    assert ((200, 404), ["bell"]) == ((known.status, unknown.status), shop.tried)
    assert {"acme": 0} == {state.name: state.found for state in shop.gateway.refresher.state()}


async def wildcards_are_written_down(clock: ManualClock) -> None:
    """Who takes any model is asked for those that nobody lists, at the price that is written there."""
    text = provider("acme", "*", rates=(1, 1)) + provider("bell", "small")
    shop = Shop(text, {"acme": WHOLE, "bell": WHOLE}, clock)

    for model in ("any-other", "small"):
        await shop.ask(model)

    assert ["acme", "bell"] == shop.tried
    assert b'"model":"any-other"' in shop.transport.sent[0].sending.body


async def lists_are_not_asked_for_unless_wanted(clock: ManualClock) -> None:
    shop = Shop(provider("acme", "small"), {"acme": WHOLE}, clock, lists={"acme": [an_offer("acme", "found")]})

    await shop.gateway.refresher.refresh()

    assert ([], ["small@acme"]) == (list(shop.transport.sent), shop.ids)


async def the_catalog_changes_between_two_calls(clock: ManualClock) -> None:
    """Without a restart, and a call that is under way ends as it began."""
    slow = Script().wait(10.0).then(*WHOLE.steps)
    text = provider("acme", settings="free = true") + provider("bell", "small")
    shop = Shop(text, {"acme": WHOLE, "bell": slow}, clock, lists={"acme": [an_offer("acme", "found")]})
    before = await shop.ask("found")

    async with asyncio.TaskGroup() as group:
        during = group.create_task(shop.ask())
        await asyncio.sleep(1.0)
        await shop.gateway.refresher.refresh()

    assert [404, 200, 200] == [before.status, during.result().status, (await shop.ask("found")).status]


async def a_model_found_later_has_a_breaker(clock: ManualClock) -> None:
    text = provider("acme", settings="free = true") + provider("bell", "small")
    scripts = {"acme": [an_error(500)] * 3 + [WHOLE], "bell": [WHOLE]}
    shop = Shop(text, scripts, clock, lists={"acme": [an_offer("acme")]})
    await shop.gateway.refresher.refresh()

    for _ in range(4):
        await shop.ask()
    clock.advance(2 * PAUSE)
    await shop.ask()

    assert [*["acme", "bell"] * 3, "bell", "acme"] == shop.tried


def _feed(clock: ManualClock, *quotes: dict[str, object]) -> Script:
    seen = clock.unix_ms()
    found = [{"endpoint": "https://acme.example/v1", "observed_at": seen} | quote for quote in quotes]
    return Script().head(200).body(msgspec.json.encode({"quotes": found}).decode())


def _fed(clock: ManualClock, *looks: Script) -> Shop:
    """Two providers, the first the cheaper by what the file says, and a feed that says these things one by one."""
    text = (
        provider("acme", "small", "large", fee=7)
        + provider("bell", "small", "large", rates=(2 * 10**6, 4 * 10**6))
        + '[[feeds]]\nname = "prices"\nurl = "https://feed.example/quotes"\n'
    )
    return Shop(text, {"acme": WHOLE, "bell": WHOLE, "feed:prices": looks}, clock)


async def a_quote_for_one_model(clock: ManualClock) -> None:
    shop = _fed(clock, _feed(clock, {"model": "small", "price_in_sats": 3_000, "price_out_sats": 6_000}))
    await shop.gateway.refresher.refresh()

    for model in ("small", "large"):
        await shop.ask(model)

    assert ["bell", "acme"] == shop.tried
    assert a_price(3 * 10**6, 6 * 10**6, base_fee=7) == shop.gateway.catalog.find("small@acme")[0].price


async def a_quote_without_a_price(clock: ManualClock) -> None:
    """Nothing is cheap because nobody says what it costs; and nothing is free because a third party says so."""
    quotes: list[dict[str, object]] = [
        {"model": "small"},
        {"model": "small", "price_in_sats": None, "price_out_sats": 1},
        {"model": "small", "price_in_sats": 0, "price_out_sats": 0},
        {"model": "small", "price_in_sats": -1, "price_out_sats": 1},
        {"model": "small", "price_in_sats": 1, "price_out_sats": 1, "endpoint": "http://acme.example/v1"},
        {"model": "small", "price_in_sats": 1, "price_out_sats": 1, "endpoint": "https://stranger.example/v1"},
        {"model": "small", "price_in_sats": 1, "price_out_sats": 1, "observed_at": clock.unix_ms() - 700_000},
    ]
    shop = _fed(clock, _feed(clock, *quotes))
    before = shop.gateway.catalog.offers

    await shop.gateway.refresher.refresh()

    (feed,) = (state for state in shop.gateway.refresher.state() if state.is_feed)
    assert [
        ("small", "has no price of input"),
        ("small", "has a price of 0, which only its provider can promise"),
        ("small", "has a price of input below nothing"),
        ("http://acme.example/v1", "is plain http, and the provider is configured by https"),
        ("https://stranger.example/v1", "is no address of a configured provider"),
        ("small", "is older than 600 s"),
    ] == [(each.name, each.reason) for each in feed.refused]
    assert (0, None) == (feed.found, feed.failure)
    assert before == shop.gateway.catalog.offers


async def a_feed_dies(clock: ManualClock) -> None:
    """Its last word is believed for ten minutes, and then what the file says holds again."""
    quote = {"model": "small", "price_in_sats": 3_000, "price_out_sats": 6_000}
    shop = _fed(clock, _feed(clock, quote), Script().refuse())
    shop.gateway.start()

    for seconds in (500.0, 200.0):
        await asyncio.sleep(seconds)
        await shop.ask()
    await shop.gateway.stop()

    assert ["bell", "acme"] == shop.tried


async def rates_of_another_unit(_: ManualClock) -> None:
    """A number without its unit is refused at its place, and so is a limit under a name that means nothing."""
    old = """
[[providers]]
name = "acme"
url = "https://acme.example/v1"
models = ["small"]
input_rate = 10
output_rate = 30
base_fee = 1

[[policies]]
name = "cheap"
max_sats_per_1k_output = 20
"""
    assert [
        (5, "bad-type", '["small"]'),
        (6, "unknown-key", "input_rate"),
        (7, "unknown-key", "output_rate"),
        (8, "unknown-key", "base_fee"),
        (12, "unknown-key", "max_sats_per_1k_output"),
    ] == complaints(old)
    assert [] == complaints(provider("acme", "small"))


async def dead_settings(_: ManualClock) -> None:
    """What has no effect is no setting."""
    old = """
[logging]
level = "debug"

[routing]
default_strategy = "cheapest"
standard_threshold = 0.4

[[policies]]
name = "fast"
strategy = "fastest"
"""
    assert [
        (2, "unknown-key", "logging"),
        (6, "unknown-key", "default_strategy"),
        (7, "unknown-key", "standard_threshold"),
        (11, "bad-value", '"fastest"'),
    ] == complaints(old)


async def names_twice(_: ManualClock) -> None:
    text = provider("acme", "small", "small") + provider("acme", "small")

    assert [(11, "duplicate", '"small"'), (16, "duplicate", '"acme"')] == complaints(text)


async def nonsense_in_numbers(_: ManualClock) -> None:
    for number in ("-1", "nan", "inf", "1e400", '"1"', "1.5"):
        text = provider("acme", "small").replace("1000000", number)
        assert [7] == [line for line, _, _ in complaints(text)], number


async def the_demo_has_providers_of_its_own(clock: ManualClock) -> None:
    """Some of them are troubled, and the callers notice nothing."""
    played = scenario("demo")
    gateway = scripted_gateway(played, ScriptedTransport(played, clock), clock=clock)

    for number in range(12):
        caller = Caller()
        stream = bool(number % 2)
        body = a_body("auto", prompt=f"question {number}", stream=stream)
        await gateway.answer(OpenAIChat(), body, asking=Asking(), headers=(), downstream=caller)
        assert 200 == caller.status
        assert (b"data: [DONE]" if stream else b"Satisfice's demo model") in caller.body
