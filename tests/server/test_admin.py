"""How the gateway is, what it sells and for whom, by both ways in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from satisfice import __version__
from satisfice.catalog.names import Named
from satisfice.catalog.offers import Offer
from satisfice.server.providers import Page, providers_as_json
from satisfice.server.status import standings_as_json
from tests.build import an_offer
from tests.engine.stage import WHOLE
from tests.server.conftest import Opener
from tests.server.front import Reply, a_stage, an_app
from tests.server.market import Source, a_gateway, fail

_OFFERS = (
    an_offer("acme", "gpt-4o"),
    an_offer("bell", "gpt-4o"),
    an_offer("acme", "labs/llama-3:free", price=None),
)
_ANTHROPIC = [("anthropic-version", "2023-06-01")]
_KEY = [("x-api-key", "sk-right")]


async def test_who_looks_in_is_told_where_the_api_is(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("GET", "/")

    assert b"POST /v1/chat/completions" in reply.body
    assert "text/plain; charset=utf-8" == reply.header("content-type")


@pytest.mark.parametrize(
    ("in_trouble", "status", "word"),
    [((), 200, "ok"), (_OFFERS[:1], 200, "degraded"), (_OFFERS, 503, "unhealthy")],
    ids=["none", "one", "all"],
)
async def test_health_is_told_by_a_word_and_a_status(
    open_front: Opener, in_trouble: Sequence[Offer], status: int, word: str
) -> None:
    gateway = a_gateway(_OFFERS)
    for offer in in_trouble:
        fail(gateway, offer)
    front = await open_front(an_app(gateway))

    reply = await front.ask("GET", "/health")

    assert (status, word, __version__) == (reply.status, reply.json["status"], reply.json["version"])
    assert "application/json" == reply.header("content-type")


async def test_health_names_who_is_in_trouble_and_why(open_front: Opener) -> None:
    gateway = a_gateway(_OFFERS)
    fail(gateway, _OFFERS[1])
    front = await open_front(an_app(gateway))

    providers = (await front.ask("GET", "/health")).json["providers"]

    assert standings_as_json(gateway) == providers


async def test_a_gateway_that_sells_nothing_is_healthy_though_not_ready(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway()))

    assert {"status": "ok", "version": __version__, "providers": {}} == (await front.ask("GET", "/health")).json
    assert 503 == (await front.ask("GET", "/ready")).status


async def test_it_lives_as_long_as_it_answers(open_front: Opener) -> None:
    gateway = a_gateway(_OFFERS)
    for offer in _OFFERS:
        fail(gateway, offer)
    front = await open_front(an_app(gateway, token="sk-right"))

    reply = await front.ask("GET", "/live")

    assert (200, {"status": "live"}) == (reply.status, reply.json)


async def test_strangers_are_told_that_something_is_wrong_but_not_with_whom(open_front: Opener) -> None:
    gateway = a_gateway(_OFFERS)
    for offer in _OFFERS:
        fail(gateway, offer)
    front = await open_front(an_app(gateway, token="sk-right"))

    for headers in ((), [("x-api-key", "sk-wrong")]):
        reply = await front.ask("GET", "/health", headers=headers)
        assert (503, {"status": "unhealthy"}) == (reply.status, reply.json)
    assert {"status", "version", "providers"} == (await front.ask("GET", "/health", headers=_KEY)).json.keys()


async def test_a_page_of_another_site_is_a_stranger(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway(_OFFERS)))

    reply = await front.ask("GET", "/health", headers=[("origin", "https://evil.example")])

    assert {"status": "ok"} == reply.json


async def test_it_is_ready_once_there_is_an_offer(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway(_OFFERS), token="sk-right"))

    stranger, reply = await front.ask("GET", "/ready"), await front.ask("GET", "/ready", headers=_KEY)

    assert (200, {"status": "ready"}) == (stranger.status, stranger.json)
    assert (200, {"status": "ready", "offers": 3}) == (reply.status, reply.json)


async def test_without_an_offer_it_says_why_it_is_not_ready(open_front: Opener) -> None:
    gateway = a_gateway(sources=[Source("acme")])
    await gateway.refresher.refresh()
    front = await open_front(an_app(gateway, token="sk-right"))

    stranger, reply = await front.ask("GET", "/ready"), await front.ask("GET", "/ready", headers=_KEY)

    assert (503, {"status": "not ready", "reason": "no offers"}) == (stranger.status, stranger.json)
    assert (503, stranger.json | {"failures": {"acme": "connection refused"}}) == (reply.status, reply.json)


async def test_providers_are_told_of_with_their_offers(open_front: Opener) -> None:
    gateway = a_gateway(_OFFERS)
    front = await open_front(an_app(gateway))

    reply, bell = await front.ask("GET", "/providers"), await front.ask("GET", "/providers?provider=bell&offset=0")

    assert providers_as_json(gateway, Page()) == reply.json
    assert providers_as_json(gateway, Page("bell")) == bell.json


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("provider=bel", "provider", "There is no provider `bel`. Did you mean `bell`?"),
        ("offset=x", "offset", "`offset` must be a whole number."),
    ],
)
async def test_a_query_that_asks_for_nothing_is_an_error(
    open_front: Opener, query: str, param: str, message: str
) -> None:
    front = await open_front(an_app(a_gateway(_OFFERS)))

    reply = await front.ask("GET", f"/providers?{query}")

    assert (400, "bad_request", param) == (reply.status, reply.error["code"], reply.error["param"])
    assert str(reply.error["message"]).startswith(message)


async def test_providers_are_not_for_strangers(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway(_OFFERS), token="sk-right"))

    assert 401 == (await front.ask("GET", "/providers")).status
    assert 200 == (await front.ask("GET", "/providers", headers=_KEY)).status


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
async def test_models_are_listed_as_openai_does(open_front: Opener, path: str) -> None:
    stage = a_stage({"acme": WHOLE}, offers=_OFFERS)
    front = await open_front(an_app(stage.gateway))

    reply = await front.ask("GET", path)

    created = stage.clock.unix_ms() // 1_000
    entry = {"object": "model", "created": created}
    assert {
        "object": "list",
        "data": [
            {"id": "auto", "owned_by": "acme, bell"} | entry,
            {"id": "gpt-4o", "owned_by": "acme, bell"} | entry,
            {"id": "labs/llama-3:free", "owned_by": "acme"} | entry,
        ],
    } == reply.json


async def test_models_are_listed_as_anthropic_does_for_who_speaks_so(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=_OFFERS).gateway))

    reply = await front.ask("GET", "/v1/models?limit=20", headers=_ANTHROPIC)

    data = reply.json["data"]
    assert isinstance(data, list)
    assert {
        "type": "model",
        "id": "gpt-4o",
        "display_name": "gpt-4o",
        "created_at": "1970-01-01T00:00:00Z",
    } == data[1]
    assert ("auto", "labs/llama-3:free", False) == tuple(reply.json[key] for key in ("first_id", "last_id", "has_more"))


async def test_an_empty_list_is_a_list(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway()))

    assert {"object": "list", "data": []} == (await front.ask("GET", "/v1/models")).json
    assert {"data": [], "has_more": False, "first_id": None, "last_id": None} == (
        await front.ask("GET", "/v1/models", headers=_ANTHROPIC)
    ).json


async def test_without_a_price_there_is_no_cheapest_model(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=[an_offer(price=None)]).gateway))

    listed = (await front.ask("GET", "/v1/models")).body

    assert b'"small"' in listed
    assert b'"auto"' not in listed


async def test_names_that_stand_for_a_choice_of_models_are_listed_first(open_front: Opener) -> None:
    """Clients make menus of the list. A choice that nothing fits is no choice."""
    named = [Named(name="fast", any_of=("gpt-*",)), Named(name="none", any_of=("claude-*",))]
    front = await open_front(an_app(a_gateway(_OFFERS, named=named)))

    listed, fast = await front.ask("GET", "/v1/models"), await front.ask("GET", "/v1/models/fast")

    assert ["auto", "fast", "gpt-4o", "labs/llama-3:free"] == _ids(listed)
    assert ("fast", "acme, bell") == (fast.json["id"], fast.json["owned_by"])
    assert 404 == (await front.ask("GET", "/v1/models/none")).status


async def test_a_name_that_a_model_has_as_well_is_listed_once(open_front: Opener) -> None:
    front = await open_front(an_app(a_gateway(_OFFERS, named=[Named(name="gpt-4o", any_of=("gpt-4o",))])))

    assert ["auto", "gpt-4o", "labs/llama-3:free"] == _ids(await front.ask("GET", "/v1/models"))


@pytest.mark.parametrize(
    ("path", "name", "owners"),
    [
        ("/v1/models/gpt-4o", "gpt-4o", "acme, bell"),
        ("/models/gpt-4o", "gpt-4o", "acme, bell"),
        ("/v1/models/gpt-4o@bell", "gpt-4o@bell", "bell"),
        ("/v1/models/labs/llama-3:free", "labs/llama-3:free", "acme"),
        ("/v1/models/labs/llama-3:free@acme", "labs/llama-3:free@acme", "acme"),
        ("/v1/models/auto", "auto", "acme, bell"),
    ],
)
async def test_a_model_is_found_by_each_of_its_names(open_front: Opener, path: str, name: str, owners: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=_OFFERS).gateway))

    openai, anthropic = await front.ask("GET", path), await front.ask("GET", path, headers=_ANTHROPIC)

    assert (name, "model", owners) == tuple(openai.json[key] for key in ("id", "object", "owned_by"))
    assert (name, "model") == tuple(anthropic.json[key] for key in ("id", "type"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("gpt4o", "Did you mean `gpt-4o`?"), ("zzz", "GET /v1/models lists what is offered."), ("", "GET /v1/models")],
)
async def test_a_model_nobody_has_is_told_with_the_nearest(open_front: Opener, name: str, hint: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=_OFFERS).gateway))

    reply = await front.ask("GET", f"/v1/models/{name}")

    assert 404 == reply.status
    assert "model_not_found" == reply.error["code"]
    assert f"No offer for the model `{name}`. {hint}" in str(reply.error["message"])


def _ids(reply: Reply) -> list[object]:
    return [each["id"] for each in cast("list[dict[str, object]]", reply.json["data"])]
