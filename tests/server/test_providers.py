"""What is sold, by whom, at what price; and what of it isn't used, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from satisfice.catalog.listing import Listing, Quote, Quotes, Refused
from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, Traits
from satisfice.core.amounts import Rate
from satisfice.core.clock import ManualClock
from satisfice.core.errors import BadRequest
from satisfice.engine.gateway import Gateway
from satisfice.server.providers import Page, page_of, providers_as_json
from satisfice.server.showing import offer_as_json
from satisfice.wire.request import Ability
from tests.build import an_offer
from tests.server.market import Feed, Source, a_gateway, fail, succeed

_ACME, _BELL = an_offer("acme", "small"), an_offer("bell", "small")
_WELL = {
    "state": "closed",
    "failure_count": 0,
    "last_error": None,
    "opened_at": None,
    "next_probe": None,
    "resting_until": None,
}
_NO_TRAITS: dict[str, list[str]] = {"regions": [], "retentions": [], "quantisations": []}


def test_each_provider_is_told_of_with_its_offers() -> None:
    gateway = a_gateway([_ACME, _BELL])

    assert {
        "offer_count": 2,
        "next": None,
        "providers": [
            {
                "name": offer.provider,
                **_WELL,
                "traits": _NO_TRAITS,
                "offer_count": 1,
                "offers": [{**offer_as_json(offer), "health": _WELL, "learnt": None}],
                "source": None,
            }
            for offer in (_ACME, _BELL)
        ],
        "feeds": [],
    } == providers_as_json(gateway, Page())


def test_with_an_offer_stands_how_it_is() -> None:
    gateway = a_gateway([_ACME, an_offer("acme", "large"), _BELL])
    fail(gateway, _ACME)
    succeed(gateway, _BELL)

    acme, bell = _providers(gateway)

    assert [("large@acme", "closed"), ("small@acme", "open")] == sorted(
        (str(offer["id"]), str(_health(offer)["state"])) for offer in _offers(acme)
    )
    assert ("closed", 1, "status 500") == tuple(acme[key] for key in ("state", "failure_count", "last_error"))
    assert 0.5 == _health(_offers(bell)[0])["first_byte_seconds"]


def test_traits_are_all_that_occur_among_the_offers() -> None:
    gateway = a_gateway(
        [
            _with_traits("a", Traits(region="us", retention="none", quantisation="fp8")),
            _with_traits("b", Traits(region="eu", quantisation="fp8")),
            _with_traits("c", Traits()),
        ]
    )

    assert {"regions": ["eu", "us"], "retentions": ["none"], "quantisations": ["fp8"]} == _providers(gateway)[0][
        "traits"
    ]


def test_what_calls_have_taught_stands_beside_what_is_listed() -> None:
    listed = msgspec.structs.replace(_ACME, capabilities=Capabilities(context=128_000))
    gateway = a_gateway([listed])
    gateway.memory.lessons.learn_context(listed.id, 100_000)
    gateway.memory.lessons.learn_lack(listed.id, Ability.VISION)
    gateway.memory.lessons.learn_lack(listed.id, Ability.TOOLS)

    offer = _offers(_providers(gateway)[0])[0]

    assert (128_000, {"context": 100_000, "cannot": ["tools", "vision"]}) == (offer["context"], offer["learnt"])


async def test_a_source_says_when_it_was_asked_and_what_of_it_is_not_taken() -> None:
    refused = (Refused("large", "its price is below zero"),)
    gateway = a_gateway(sources=[Source("acme", Listing(offers=(_ACME,), refused=refused)), Source("bell")])
    await gateway.refresher.refresh()

    acme, bell = _providers(gateway)

    assert {
        "fetched_at": "2025-11-24T16:00:00.000Z",
        "found": 1,
        "failure": None,
        "is_stale": False,
        "refused_count": 1,
        "refused": [{"name": "large", "reason": "its price is below zero"}],
    } == acme["source"]
    assert {
        "fetched_at": None,
        "found": None,
        "failure": "connection refused",
        "is_stale": False,
        "refused_count": 0,
        "refused": [],
    } == bell["source"]


async def test_a_provider_without_offers_is_told_of_for_its_source() -> None:
    """It is there that somebody looks who misses its models."""
    gateway = a_gateway(sources=[Source("acme")])
    await gateway.refresher.refresh()

    (acme,) = _providers(gateway)

    assert {"name": "acme", **_WELL, "traits": _NO_TRAITS, "offer_count": 0, "offers": []} == {
        key: value for key, value in acme.items() if key != "source"
    }


async def test_of_many_that_are_refused_the_first_are_told_and_all_are_counted() -> None:
    refused = tuple(Refused(f"model-{number}", "no price") for number in range(250))
    gateway = a_gateway(sources=[Source("acme", Listing(refused=refused))])
    await gateway.refresher.refresh()

    source = cast("dict[str, object]", _providers(gateway)[0]["source"])

    assert (250, 100) == (source["refused_count"], len(cast("list[object]", source["refused"])))


async def test_a_feed_is_told_of_beside_the_providers() -> None:
    clock = ManualClock()
    quote = Quote(
        provider="acme",
        model="small",
        input=Rate(7),
        output=Rate(9),
        observed_ms=clock.unix_ms(),
        expires_ms=clock.unix_ms() + 600_000,
    )
    says = Quotes(quotes=(quote,), refused=(Refused("http://a.example", "not named"),), undated=1)
    gateway = a_gateway([_ACME], clock, feeds=[Feed(says)])
    await gateway.refresher.refresh()
    clock.advance(601.0)

    assert [
        {
            "name": "market",
            "fetched_at": "2025-11-24T16:00:00.000Z",
            "found": 1,
            "failure": None,
            "is_stale": True,
            "refused_count": 1,
            "refused": [{"name": "http://a.example", "reason": "not named"}],
            "undated": 1,
        }
    ] == providers_as_json(gateway, Page())["feeds"]


def test_one_provider_can_be_asked_for() -> None:
    gateway = a_gateway([_ACME, _BELL])

    told = providers_as_json(gateway, Page("bell"))

    assert ["bell"] == [each["name"] for each in cast("list[dict[str, object]]", told["providers"])]
    assert 1 == told["offer_count"]


@pytest.mark.parametrize(
    ("name", "hint"), [("acne", "Did you mean `acme`?"), ("zzz", "GET /providers lists all."), ("", "GET /providers")]
)
def test_a_provider_that_is_not_there_is_told_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        providers_as_json(a_gateway([_ACME, _BELL]), Page(name))

    assert f"There is no provider `{name}`." == refusal.value.message
    assert refusal.value.hint.startswith(hint)
    assert "provider" == refusal.value.param


@pytest.mark.parametrize("provider", [None, "bell"])
def test_page_by_page_every_offer_is_told_of_once(provider: str | None) -> None:
    offers = [an_offer(name, f"model-{number}") for name in ("acme", "bell", "cord") for number in range(620)]
    gateway = a_gateway(offers)

    pages = _pages(gateway, Page(provider))

    told = [str(offer["id"]) for page in pages for each in page for offer in _offers(each)]
    assert [offer.id for offer in gateway.catalog.offers if provider in {None, offer.provider}] == told
    assert all(500 >= sum(len(_offers(each)) for each in page) for page in pages)
    assert all(620 == each["offer_count"] for page in pages for each in page)
    assert (4 if provider is None else 2) == len(pages)


def test_beyond_the_last_page_there_is_nothing() -> None:
    told = providers_as_json(a_gateway([_ACME]), Page(offset=500))

    assert (1, None) == (told["offer_count"], told["next"])
    assert [[]] == [_offers(each) for each in cast("list[dict[str, object]]", told["providers"])]


@pytest.mark.parametrize(
    ("query", "page"),
    [
        (b"", Page()),
        (b"provider=acme", Page("acme")),
        (b"provider=a%20b&offset=500", Page("a b", 500)),
        (b"provider=acme&provider=bell", Page("bell")),
        (b"provider=", Page("")),
        (b"unknown=1&&=", Page()),
        (b"provider=\xff", Page("ÿ")),
    ],
)
def test_a_query_says_which_page(query: bytes, page: Page) -> None:
    assert page == page_of(query)


@pytest.mark.parametrize("offset", [b"", b"-1", b"1.5", b"x", b"1" * 5_000, "²".encode(), b"%C2%B2"])
def test_a_page_has_a_whole_number(offset: bytes) -> None:
    with pytest.raises(BadRequest, match="`offset` must be a whole number"):
        page_of(b"offset=" + offset)


def _with_traits(model: str, traits: Traits) -> Offer:
    return msgspec.structs.replace(an_offer("acme", model), traits=traits)


def _providers(gateway: Gateway) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", providers_as_json(gateway, Page())["providers"])


def _offers(provider: dict[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", provider["offers"])


def _health(offer: dict[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", offer["health"])


def _pages(gateway: Gateway, page: Page) -> Sequence[list[dict[str, object]]]:
    """The first one, and those that `next` leads to."""
    pages = []
    while True:
        told = providers_as_json(gateway, page)
        pages.append(cast("list[dict[str, object]]", told["providers"]))
        if told["next"] is None:
            return pages
        page = page_of(str(told["next"]).partition("?")[2].encode())
