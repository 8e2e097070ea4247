"""Streams as clients need them, seen from both ends of the gateway."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e.caller import Caller, ask, get, post, question
from tests.e2e.gateway import Gateway
from tests.e2e.sdk import SDK
from tests.e2e.upstream import DONE, END, STREAM, USAGE, Asked, Upstream, chunk, event, piece, say

_WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
_COST = 10 + 4  # of USAGE at the prices of the model `small`, in msat


async def test_the_usage_comes_last_with_its_cost_for_who_asked_for_it(gateway: Gateway, upstream: Upstream) -> None:
    answer = await ask(gateway, post(question(**_WITH_USAGE)))

    *chunks, last = answer.chunks
    assert ("Hello you", "[DONE]") == (answer.text, answer.events[-1])
    assert ([], {**USAGE, "cost_msat": _COST}) == (last["choices"], last["usage"])
    assert all(chunk["choices"] and chunk["usage"] is None for chunk in chunks)


async def test_the_upstream_is_asked_for_usage_that_the_caller_does_not_see(
    gateway: Gateway, upstream: Upstream
) -> None:
    answer = await ask(gateway, post(question(stream=True)))

    assert {"include_usage": True} == upstream.asked[0].json["stream_options"]
    assert all(chunk["choices"] and chunk["usage"] is None for chunk in answer.chunks)
    assert ("Hello you", "[DONE]") == (answer.text, answer.events[-1])


async def test_the_terminator_and_the_end_of_the_body_come_together(gateway: Gateway, upstream: Upstream) -> None:
    """Some clients wait for the end of the body, so it isn't waited for upstream: here it never comes."""
    upstream.play = _say_and_never_end

    async with Caller(gateway) as caller:
        await caller.send(post(question(stream=True)))
        read = b""
        while b"[DONE]" not in read:
            read = await caller.read()

    assert read.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_no_client_waits_for_an_end_that_never_comes(gateway: Gateway, upstream: Upstream, sdk: SDK) -> None:
    upstream.play = _say_and_never_end

    seen = await sdk.create(gateway, **question(stream=True))

    assert ["Hello"] == [chunk["choices"][0]["delta"]["content"] for chunk in seen["chunks"]]


async def test_nothing_comes_after_the_terminator(gateway: Gateway, upstream: Upstream) -> None:
    async def play(asked: Asked) -> None:
        await asked.send(STREAM, *say("Hello"), piece(DONE + event('{"object":"upstream.cost"}')), END)

    upstream.play = play
    answer = await ask(gateway, post(question(stream=True)))

    assert [1, 1] == [len(answer.chunks), answer.events.count("[DONE]")]
    assert "[DONE]" == answer.events[-1]


async def test_each_piece_is_handed_on_in_the_instant_it_comes(gateway: Gateway, upstream: Upstream) -> None:
    """The upstream says the next word only when the caller has had the last one."""
    heard = asyncio.Semaphore(0)

    async def play(asked: Asked) -> None:
        await asked.send(STREAM)
        for word in say("one", "two", "three"):
            await asked.send(word)
            await heard.acquire()
        await asked.send(piece(DONE), END)

    upstream.play = play
    async with Caller(gateway) as caller:
        await caller.send(post(question(stream=True)))
        await caller.head()
        for word in ("one", "two", "three"):
            assert word in (await caller.piece()).decode()
            heard.release()
        assert DONE == await caller.piece()


async def test_what_the_gateway_does_not_know_passes_byte_for_byte(gateway: Gateway, upstream: Upstream) -> None:
    odd = b'data: {"choices":[{"index":0,"delta":{"content":"\\u00e9","x":1.50}}], "new" : {"a":[ ]} }\n\n'
    strange = b": a comment\n\nid: 7\nretry: 10\n" + odd

    async def play(asked: Asked) -> None:
        await asked.send(STREAM, *say("Hello"), piece(strange), piece(DONE), END)

    upstream.play = play
    answer = await ask(gateway, post(question(stream=True)))

    assert chunk({"content": "Hello"}) + strange + DONE == answer.body


async def test_the_request_passes_too_its_values_byte_for_byte(gateway: Gateway, upstream: Upstream) -> None:
    values = b'"temperature":1.00,"seed":12345678901234567890,"x":{"b" : "\\u00e9","a":[ 1e2 ]},"z":null'
    await ask(gateway, post(b'{"model":"small","messages":[{"role":"user","content":"\xc3\xa9"}],%b}' % values))

    assert values in upstream.asked[0].body
    assert '"content":"é"'.encode() in upstream.asked[0].body


@pytest.mark.parametrize("last", [b"", b'data: {"choices":[{"index":0,"del'], ids=["between events", "within one"])
async def test_a_broken_stream_ends_with_an_error_and_without_the_terminator(
    gateway: Gateway, upstream: Upstream, last: bytes
) -> None:
    async def play(asked: Asked) -> None:
        await asked.send(STREAM, *say("Hello"), piece(last) if last else b"")
        asked.writer.close()

    upstream.play = play
    async with Caller(gateway) as caller:
        await caller.send(post(question(stream=True)))
        answer = await caller.answer()
        await caller.send(get("/health"))

        assert 200 == (await caller.answer()).status

    assert "Hello" == answer.text
    assert "upstream_failed" == json.loads(answer.events[-1])["error"]["code"]
    assert b"[DONE]" not in answer.body


async def test_an_upstreams_own_error_in_mid_stream_is_the_last_thing_the_caller_hears(
    gateway: Gateway, upstream: Upstream, sdk: SDK
) -> None:
    async def play(asked: Asked) -> None:
        error = event('{"error":{"message":"Out of memory.","type":"server_error","code":"oom"}}')
        await asked.send(STREAM, *say("Hello"), piece(error), END)

    upstream.play = play
    seen = await sdk.create(gateway, **question(stream=True))

    assert (1, "oom") == (len(seen["chunks"]), seen["error"]["code"])


async def _say_and_never_end(asked: Asked) -> None:
    await asked.send(STREAM, *say("Hello"), piece(DONE))
    await asked.left()
