"""The body within its limit, what the caller's fields say and which go along, and what a call would cost."""

from __future__ import annotations

from typing import cast

import pytest

from satisfice.routing.policy import Policies, Policy, Strategy
from satisfice.server.showing import cost_as_json
from tests.build import a_body, an_offer
from tests.engine.stage import WHOLE
from tests.server.conftest import Opener
from tests.server.front import a_stage, an_app
from tests.server.market import fail

_CHAT = "/v1/chat/completions"
_COST = "/v1/cost"
_POLICIES = Policies([Policy(name="not-acme", deny_providers=("acme",))])
_LIMIT = 1 << 20
_HANDED_ON = {
    "anthropic-beta": "context-management-2025-06-27,effort-2025-11-24",
    "anthropic-version": "2023-06-01",
    "idempotency-key": "k-1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "x-initiator": "agent",
    "x-unheard-of": "a; b=c",
}
_KEPT_BACK = {
    "accept": "*/*",
    "accept-encoding": "gzip",
    "api-key": "sk-1",
    "authorization": "Bearer sk-1",
    "cf-connecting-ip": "10.0.0.1",
    "cookie": "session=1",
    "forwarded": "for=10.0.0.1",
    "openai-organization": "org-1",
    "openai-project": "p-1",
    "origin": "http://localhost:3000",
    "referer": "https://app.example/chat",
    "sec-fetch-mode": "cors",
    "true-client-ip": "10.0.0.1",
    "user-agent": "an-sdk/1.0",
    "via": "1.1 proxy",
    "x-api-key": "sk-1",
    "x-client-ip": "10.0.0.1",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-proto": "https",
    "x-goog-api-key": "sk-1",
    "x-real-ip": "10.0.0.1",
    "x-satisfice-anything": "1",
    "x-stainless-os": "Linux",
}


async def test_what_is_said_to_the_model_goes_along_and_what_is_told_of_the_caller_does_not(
    open_front: Opener,
) -> None:
    """A marketplace is not to learn who our callers are, and nobody is to get a key that is not meant for them."""
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway))

    await front.ask("POST", _CHAT, headers=[*_HANDED_ON.items(), *_KEPT_BACK.items()], body=a_body())

    sent = [(name.decode(), value.decode()) for name, value in stage.transport.sent[0].sending.headers]
    assert list(_HANDED_ON.items()) == sent


async def test_a_field_that_comes_twice_goes_twice(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway))

    await front.ask("POST", _CHAT, headers=[("Anthropic-Beta", "a"), ("anthropic-beta", "b")], body=a_body())

    assert [(b"anthropic-beta", b"a"), (b"anthropic-beta", b"b")] == stage.transport.sent[0].sending.headers


@pytest.mark.parametrize("in_pieces", [False, True], ids=["length", "chunked"])
async def test_a_body_may_be_as_large_as_the_limit(open_front: Opener, *, in_pieces: bool) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, max_body=_LIMIT))
    body = _body_of(_LIMIT)

    reply = await front.ask("POST", _CHAT, body=body, pieces=_cut(body) if in_pieces else None)

    assert 200 == reply.status
    assert len(body) < len(stage.transport.sent[0].sending.body) + 100


@pytest.mark.parametrize("in_pieces", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("over", [1, 3 << 20])
async def test_a_body_over_the_limit_is_refused(open_front: Opener, over: int, *, in_pieces: bool) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, max_body=_LIMIT))
    body = _body_of(_LIMIT + over)

    reply = await front.ask("POST", _CHAT, body=body, pieces=_cut(body) if in_pieces else None)

    assert 413 == reply.status
    assert "body_too_large" == reply.error["code"]
    assert "larger than 1048576 bytes (1 MiB)" in str(reply.error["message"])
    assert "`max_body_mib`" in str(reply.error["message"])
    assert "caller" == reply.header("x-satisfice-error-source")
    assert [] == stage.tried


async def test_the_last_byte_over_the_limit_may_come_alone(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, max_body=_LIMIT))

    reply = await front.ask("POST", _CHAT, pieces=[_body_of(_LIMIT), b" "])

    assert 413 == reply.status
    assert [] == stage.tried


async def test_a_body_in_pieces_is_one_body(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway))
    body = a_body(prompt="ü" * 40)

    reply = await front.ask("POST", _CHAT, pieces=[body[start : start + 7] for start in range(0, len(body), 7)])

    assert 200 == reply.status
    assert body == stage.transport.sent[0].sending.body


async def test_no_body_is_no_json(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("POST", _CHAT)

    assert 400 == reply.status
    assert "bad_request" == reply.error["code"]


async def test_the_policy_that_a_header_names_applies(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway))

    reply = await front.ask("POST", _CHAT, headers=[("X-Satisfice-Policy", "not-acme")], body=a_body())

    assert (["bell"], "not-acme") == (stage.tried, reply.header("x-satisfice-policy"))


@pytest.mark.parametrize("path", [_CHAT, _COST])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not-acm", "There is no policy `not-acm`. Did you mean `not-acme`?"),
        ("Not-Acme", "There is no policy `Not-Acme`."),
        ("", "There is no policy ``."),
    ],
)
async def test_a_policy_that_is_not_there_is_an_error(open_front: Opener, path: str, name: str, message: str) -> None:
    """Left out, it would let through what somebody wants to be forbidden."""
    stage = a_stage({"acme": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway))

    reply = await front.ask("POST", path, headers=[("x-satisfice-policy", name)], body=a_body())

    assert (400, "unknown_policy") == (reply.status, reply.error["code"])
    assert str(reply.error["message"]).startswith(message)
    assert [] == stage.tried


async def test_the_name_that_a_header_gives_a_conversation_is_its_name(open_front: Opener) -> None:
    stage = a_stage({"acme": [WHOLE, WHOLE, WHOLE], "bell": WHOLE})
    front = await open_front(an_app(stage.gateway))

    for fields in ([], [("x-satisfice-session", "s-1")], [("x-satisfice-session", "s-2")]):
        await front.ask("POST", _CHAT, headers=fields, body=a_body())

    none, first, second = (job.decision.thread.name for job, _ in stage.told)
    assert None is none
    assert None not in {first, second}
    assert first != second


@pytest.mark.parametrize("path", [_COST, "/cost"])
async def test_what_a_call_would_cost_is_told_without_sending_it(open_front: Opener, path: str) -> None:
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway))

    priced = await front.ask("POST", path, body=a_body())
    sent = list(stage.tried)
    await front.ask("POST", _CHAT, body=a_body())

    assert ([], ["acme"]) == (sent, stage.tried)
    assert (200, "application/json") == (priced.status, priced.header("content-type"))
    assert cost_as_json(stage.told[0][0].decision) == priced.json


async def test_an_exclusion_is_told_with_its_reason(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway))

    priced = await front.ask("POST", _COST, headers=[("x-satisfice-policy", "not-acme")], body=a_body())

    assert ("small@bell", ["not-acme"], 1) == tuple(
        priced.json[key] for key in ("choice", "policies", "excluded_count")
    )
    assert [("small@acme", "provider_denied")] == [
        (each["offer"], each["reason"]) for each in cast("list[dict[str, object]]", priced.json["excluded"])
    ]


async def test_asking_for_the_cost_changes_nothing(open_front: Opener) -> None:
    """Neither whose turn it is, nor what is known of conversations."""
    policies = Policies([Policy(name="in-turn", strategy=Strategy.ROUND_ROBIN)], "in-turn")
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=policies)
    front = await open_front(an_app(stage.gateway))

    asked = []
    for _ in range(2):
        asked += [(await front.ask("POST", _COST, body=a_body())).json["choice"] for _ in range(3)]
        await front.ask("POST", _CHAT, body=a_body())

    first, second = stage.tried
    assert [f"small@{first}"] * 3 + [f"small@{second}"] * 3 == asked
    assert [0, 1] == [job.decision.thread.turns for job, _ in stage.told]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"", 400, "bad_request", None),
        (b"[]", 400, "bad_request", None),
        (b'{"messages":[]}', 400, "bad_request", "model"),
        (a_body("smal"), 404, "model_not_found", "model"),
        (b" " * (_LIMIT + 1), 413, "body_too_large", None),
    ],
    ids=["nothing", "no object", "no model", "unknown model", "too large"],
)
async def test_what_can_not_be_answered_has_no_cost(
    open_front: Opener, body: bytes, status: int, code: str, param: str | None
) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway, max_body=_LIMIT))

    priced, answered = await front.ask("POST", _COST, body=body), await front.ask("POST", _CHAT, body=body)

    assert (status, code, param) == (priced.status, priced.error["code"], priced.error["param"])
    assert (status, priced.error["message"]) == (answered.status, answered.error["message"])
    assert "caller" == priced.header("x-satisfice-error-source")


@pytest.mark.parametrize("path", [_CHAT, _COST])
async def test_where_all_offers_are_left_alone_it_is_told_at_once(open_front: Opener, path: str) -> None:
    stage = a_stage({"acme": WHOLE})
    fail(stage.gateway, an_offer("acme"))
    front = await open_front(an_app(stage.gateway))

    reply = await front.ask("POST", path, body=a_body())

    assert (503, "circuit_open", "upstream") == (
        reply.status,
        reply.error["code"],
        reply.header("x-satisfice-error-source"),
    )
    assert 30 <= int(reply.header("retry-after") or 0) <= 38
    assert "small@acme: left alone for another" in str(reply.error["message"])
    assert [] == stage.tried


def _body_of(size: int) -> bytes:
    return a_body(prompt="x" * (size - len(a_body(prompt=""))))


def _cut(body: bytes) -> list[bytes]:
    return [body[start : start + 65_000] for start in range(0, len(body), 65_000)]
