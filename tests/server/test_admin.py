"""Liveness, readiness and the list of models, by both ways in."""

from __future__ import annotations

import pytest

from satisfice import __version__
from satisfice.catalog.listing import Listing
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.engine.gateway import Gateway, Supply
from satisfice.engine.memory import Memory
from satisfice.routing.policy import Policies
from satisfice.transport.scripted import ScriptedTransport
from tests.build import an_offer
from tests.engine.stage import WHOLE, a_pace
from tests.server.conftest import Opener
from tests.server.front import a_stage, an_app

_OFFERS = (
    an_offer("acme", "gpt-4o"),
    an_offer("bell", "gpt-4o"),
    an_offer("acme", "meta-llama/llama-3:free", price=None),
)
_ANTHROPIC = [("anthropic-version", "2023-06-01")]


class _Silent:
    """A source that is not there."""

    name = "acme"
    period = 300.0

    async def fetch(self) -> Listing:
        raise Broken(Break.REFUSED)


async def test_who_looks_in_is_told_where_the_api_is(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("GET", "/")

    assert b"POST /v1/chat/completions" in reply.body
    assert "text/plain; charset=utf-8" == reply.header("content-type")


async def test_it_is_healthy_as_long_as_it_lives(open_front: Opener) -> None:
    front = await open_front(an_app(_without_offers()))

    reply = await front.ask("GET", "/health")

    assert (200, {"status": "ok", "version": __version__}) == (reply.status, reply.json)
    assert "application/json" == reply.header("content-type")


async def test_it_is_ready_once_there_is_an_offer(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=_OFFERS).gateway))

    reply = await front.ask("GET", "/ready")

    assert (200, {"status": "ready", "offers": 3}) == (reply.status, reply.json)


async def test_without_an_offer_it_says_why_it_is_not_ready(open_front: Opener) -> None:
    gateway = _without_offers()
    await gateway.refresher.refresh()
    front = await open_front(an_app(gateway))

    reply = await front.ask("GET", "/ready")

    assert 503 == reply.status
    assert {
        "status": "not ready",
        "reason": "no offers",
        "failures": {"acme": "connection refused"},
    } == reply.json


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
            {"id": "meta-llama/llama-3:free", "owned_by": "acme"} | entry,
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
    assert ("auto", "meta-llama/llama-3:free", False) == tuple(
        reply.json[key] for key in ("first_id", "last_id", "has_more")
    )


async def test_an_empty_list_is_a_list(open_front: Opener) -> None:
    front = await open_front(an_app(_without_offers()))

    assert {"object": "list", "data": []} == (await front.ask("GET", "/v1/models")).json
    assert {"data": [], "has_more": False, "first_id": None, "last_id": None} == (
        await front.ask("GET", "/v1/models", headers=_ANTHROPIC)
    ).json


async def test_without_a_price_there_is_no_cheapest_model(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}, offers=[an_offer(price=None)]).gateway))

    listed = (await front.ask("GET", "/v1/models")).body

    assert b'"small"' in listed
    assert b'"auto"' not in listed


@pytest.mark.parametrize(
    ("path", "name", "owners"),
    [
        ("/v1/models/gpt-4o", "gpt-4o", "acme, bell"),
        ("/models/gpt-4o", "gpt-4o", "acme, bell"),
        ("/v1/models/gpt-4o@bell", "gpt-4o@bell", "bell"),
        ("/v1/models/meta-llama/llama-3:free", "meta-llama/llama-3:free", "acme"),
        ("/v1/models/meta-llama/llama-3:free@acme", "meta-llama/llama-3:free@acme", "acme"),
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


def _without_offers() -> Gateway:
    clock = ManualClock()
    return Gateway(
        Supply((), {}, sources=[_Silent()]),
        Policies(),
        pacing=a_pace(),
        transport=ScriptedTransport({}, clock),
        clock=clock,
        memory=Memory(clock),
    )
