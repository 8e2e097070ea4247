"""What no caller should send: each gets a clear error in OpenAI's shape, and the server goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.caller import CHAT, Answer, Caller, get, post, question
from tests.e2e.gateway import Gateway
from tests.e2e.sdk import SDK
from tests.e2e.upstream import Upstream

_LIMIT = 1 << 20


def _nested(levels: int) -> bytes:
    return b'{"model":"small","messages":[],"x":%b%b}' % (b"[" * levels, b"]" * levels)


_BODIES: Mapping[str, tuple[bytes, str | None, str]] = {
    "nothing": (b"", None, "not JSON"),
    "plain text": (b"Hello", None, "not JSON"),
    "JSON that is cut off": (b'{"model":"small","messages":[', None, "cut off"),
    "an array": (b"[]", None, "not a JSON object"),
    "a string": (b'"small"', None, "not a JSON object"),
    "null": (b"null", None, "not a JSON object"),
    "invalid UTF-8": (b'{"model":"\xff"}', None, "not valid UTF-8 at byte 10"),
    "100 levels": (_nested(100), None, "64 levels"),
    "100,000 levels": (_nested(100_000), None, "64 levels"),
    "no model": (b'{"messages":[]}', "model", "`model` is missing"),
    "a number as model": (b'{"model":7,"messages":[]}', "model", "`model` must be a string"),
    "no messages": (b'{"model":"small"}', "messages", "`messages` must be an array"),
    "text as messages": (b'{"model":"small","messages":"Hi"}', "messages", "`messages` must be an array"),
    "text as stream": (b'{"model":"small","messages":[],"stream":"yes"}', "stream", "must be true or false"),
    "half a choice": (b'{"model":"small","messages":[],"n":1.5}', "n", "must be a whole number"),
}


@pytest.mark.parametrize(("body", "param", "said"), _BODIES.values(), ids=_BODIES)
async def test_a_body_that_is_no_chat_request(
    gateway: Gateway, upstream: Upstream, body: bytes, param: str | None, said: str
) -> None:
    async with Caller(gateway) as caller:
        error = await _refused(caller, post(body), status=400)

        assert ("bad_request", param) == (error["code"], error["param"])
        assert said in error["message"]
        await _goes_on(caller)
    assert 1 == len(upstream.asked)


@pytest.mark.parametrize(
    ("model", "hint"),
    [("smal", "Did you mean `small`?"), ("SMALL-2", "Did you mean `small`?"), ("gpt-4o", "GET /v1/models lists")],
)
async def test_a_model_that_nobody_offers(gateway: Gateway, upstream: Upstream, model: str, hint: str) -> None:
    async with Caller(gateway) as caller:
        error = await _refused(caller, post(question(model=model)), status=404)

        assert ("model_not_found", "model") == (error["code"], error["param"])
        assert hint in error["satisfice"]["hint"]
        await _goes_on(caller)


async def test_a_path_that_is_not_served(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        error = await _refused(caller, post(question(), path="/v1/chat/completion"), status=404)

        assert "unknown_path" == error["code"]
        assert CHAT in error["satisfice"]["hint"]
        await _goes_on(caller)


async def test_a_method_that_the_path_does_not_take(gateway: Gateway, upstream: Upstream) -> None:
    """RFC 9110 section 15.5.6: the answer has to say which it takes."""
    async with Caller(gateway) as caller:
        await caller.send(get(CHAT))
        answer = await caller.answer()

        assert (405, "POST") == (answer.status, answer.headers.get("allow"))
        assert "method_not_allowed" == _error(answer)["code"]
        await _goes_on(caller)


async def test_a_body_may_be_exactly_as_large_as_the_limit(gateway: Gateway, upstream: Upstream) -> None:
    body = _sized(_LIMIT)
    async with Caller(gateway) as caller:
        await caller.send(post(body))

        assert 200 == (await caller.answer()).status
        await _goes_on(caller)
    assert json.loads(body) == upstream.asked[0].json


async def test_a_body_one_byte_over_the_limit(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        error = await _refused(caller, post(_sized(_LIMIT + 1)), status=413)

        assert "body_too_large" == error["code"]
        assert "1048576 bytes" in error["message"]
        assert "max_body_mib" in error["satisfice"]["hint"]
        await _goes_on(caller)
    assert 1 == len(upstream.asked)


async def test_a_body_over_the_limit_that_does_not_say_its_length(gateway: Gateway, upstream: Upstream) -> None:
    """It is refused when the limit is passed; what comes after that is passed over."""
    piece = b"10000\r\n%b\r\n" % (b" " * 0x10000)
    head = get(CHAT, "transfer-encoding: chunked", method="POST")
    async with Caller(gateway) as caller:
        error = await _refused(caller, head + piece * 17, status=413)
        await caller.send(*[piece] * 100, b"0\r\n\r\n")

        assert "body_too_large" == error["code"]
        await _goes_on(caller)


@pytest.mark.parametrize("path", [CHAT, "/health"])
async def test_a_head_over_its_limit(gateway: Gateway, upstream: Upstream, path: str) -> None:
    async with Caller(gateway) as caller:
        error = await _refused(caller, get(path, f"x-large: {'a' * 70_000}", method="POST"), status=431)

        assert "head_too_large" == error["code"]
    async with Caller(gateway) as caller:
        await _goes_on(caller)


async def test_a_head_of_many_fields_over_its_limit(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        fields = [f"x-{number}: {'a' * 1_000}" for number in range(70)]

        assert "head_too_large" == (await _refused(caller, get("/health", *fields), status=431))["code"]
    async with Caller(gateway) as caller:
        await _goes_on(caller)


async def test_a_head_without_end_is_cut_off(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        with pytest.raises(ConnectionError):
            await caller.send(b"GET /health?", *[b"a" * 0x10000] * 1_000)
    async with Caller(gateway) as caller:
        await _goes_on(caller)


async def test_a_head_that_just_fits(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        await caller.send(post(question(), f"x-large: {'a' * 65_000}"))

        assert 200 == (await caller.answer()).status
        await _goes_on(caller)


async def test_what_is_no_http(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        await caller.send(b"Hello, is anybody there?\r\n\r\n")
        answer = await caller.answer()

        assert 400 == answer.status
        assert b"" == await caller.read()
    async with Caller(gateway) as caller:
        await _goes_on(caller)


async def test_the_official_clients_raise_what_their_users_catch(
    gateway: Gateway, upstream: Upstream, sdk: SDK
) -> None:
    bad = (await sdk.create(gateway, **question(stream="yes")))["error"]
    large = (await sdk.create(gateway, **question(user="a" * _LIMIT)))["error"]

    assert ("BadRequestError", 400, "bad_request") == (bad["type"], bad["status"], bad["code"])
    assert (413, "body_too_large") == (large["status"], large["code"])


async def _refused(caller: Caller, request: bytes, *, status: int) -> dict[str, Any]:
    await caller.send(request)
    answer = await caller.answer()

    assert status == answer.status, answer
    return _error(answer)


def _error(answer: Answer) -> dict[str, Any]:
    """An error of the caller's, which says so in all the places where somebody may look."""
    error: dict[str, Any] = answer.json["error"]
    assert {"message", "type", "param", "code", "satisfice"} == error.keys()
    assert "invalid_request_error" == error["type"]
    assert "caller" == answer.headers["x-satisfice-error-source"] == error["satisfice"]["source"]
    assert answer.headers["x-satisfice-request-id"] == error["satisfice"]["request_id"]
    assert error["satisfice"]["hint"]
    assert error["message"].endswith(error["satisfice"]["hint"])
    return error


async def _goes_on(caller: Caller) -> None:
    await caller.send(post(question()))

    assert 200 == (await caller.answer()).status


def _sized(size: int) -> bytes:
    body = json.dumps(question(x="")).encode()
    return body.replace(b'"x": ""', b'"x": "%b"' % (b"a" * (size - len(body))))
