"""The body within its limit, and which of the caller's fields go along, by both ways in."""

from __future__ import annotations

import pytest

from tests.build import a_body
from tests.engine.stage import WHOLE
from tests.server.conftest import Opener
from tests.server.front import a_stage, an_app

_CHAT = "/v1/chat/completions"
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


def _body_of(size: int) -> bytes:
    return a_body(prompt="x" * (size - len(a_body(prompt=""))))


def _cut(body: bytes) -> list[bytes]:
    return [body[start : start + 65_000] for start in range(0, len(body), 65_000)]
