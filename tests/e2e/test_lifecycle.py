"""Ends: of a caller who leaves, and of the gateway itself."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.e2e.caller import Caller, ask, get, post, question
from tests.e2e.gateway import Gateway, Serve
from tests.e2e.sdk import SDK
from tests.e2e.upstream import DONE, END, STREAM, Asked, Upstream, chunk, piece, say

_STREAM = question(stream=True)
_PATIENCE = 10.0
_SOON = 2.0


class Scene:
    """An upstream's play in parts: it begins, and goes on when it is told to; it notices when it is left."""

    def __init__(self, *begins: bytes) -> None:
        self._begins = begins
        self.has_begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.was_left = asyncio.Event()

    async def __call__(self, asked: Asked) -> None:
        """The play."""
        await asked.send(*self._begins)
        self.has_begun.set()
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(self._watch(asked))
            await self.may_go_on.wait()
            leaving.cancel()
        await asked.send(*say(" you"), piece(DONE), END)

    async def _watch(self, asked: Asked) -> None:
        await asked.left()
        self.was_left.set()
        self.may_go_on.set()


@pytest.mark.parametrize(
    ("begins", "stream"),
    [
        ((STREAM, *say("Hello")), True),
        ((STREAM, piece(chunk({"role": "assistant", "content": ""}))), True),
        ((), True),
        ((), False),
        ((b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",), False),
    ],
    ids=["in a stream", "before the first token", "before the head", "before the answer", "within the answer"],
)
async def test_a_caller_who_leaves_is_soon_left_upstream(
    gateway: Gateway, upstream: Upstream, begins: tuple[bytes, ...], *, stream: bool
) -> None:
    upstream.play = scene = Scene(*begins)

    async with Caller(gateway) as caller:
        await caller.send(post(question(stream=stream)))
        await _soon(scene.has_begun)
    began = time.monotonic()
    await _soon(scene.was_left)

    assert time.monotonic() - began < _SOON


async def test_a_caller_who_has_sent_the_next_request_already_may_leave_too(
    gateway: Gateway, upstream: Upstream
) -> None:
    """Nothing is read from it any more, so that it has gone shows at the next word for it."""
    has_begun, was_left = asyncio.Event(), asyncio.Event()

    async def play(asked: Asked) -> None:
        await asked.send(STREAM)
        try:
            while True:
                await asked.send(*say("Hello"))
                has_begun.set()
                await asyncio.sleep(0.01)
        except ConnectionError:
            was_left.set()

    upstream.play = play
    async with Caller(gateway) as caller:
        await caller.send(post(_STREAM) + get("/health"))
        await _soon(has_begun)
    await _soon(was_left)


async def test_an_official_client_that_breaks_a_stream_off_leaves(
    gateway: Gateway, upstream: Upstream, sdk: SDK
) -> None:
    upstream.play = scene = Scene(STREAM, *say("Hello"))

    seen = await sdk.do(gateway, "create", arguments=_STREAM, leave_after=1)
    await _soon(scene.was_left)

    assert 1 == len(seen["chunks"])


async def test_told_to_stop_the_gateway_lets_an_open_stream_end(serve: Serve, upstream: Upstream) -> None:
    """And takes nobody in meanwhile; a connection on which nothing is asked doesn't hold it up."""
    upstream.play = scene = Scene(STREAM, *say("Hello"))

    with serve() as gateway:
        async with Caller(gateway) as caller, Caller(gateway) as idle:
            await idle.send(get("/health"))
            await idle.answer()
            await caller.send(post(_STREAM))
            head, first = await caller.head(), await caller.piece()
            gateway.terminate()
            await _refuses_connections(gateway)
            assert b"" == await idle.read()

            scene.may_go_on.set()
            rest = b"".join([first, *[each async for each in caller.pieces()]])
            assert b"" == await caller.read()
        code = await gateway.ended()

    assert ("Hello you", "[DONE]") == (head._replace(body=rest).text, head._replace(body=rest).events[-1])
    assert 0 == code


async def test_a_stream_that_goes_on_too_long_is_told_that_it_breaks_off(serve: Serve, upstream: Upstream) -> None:
    upstream.play = scene = Scene(STREAM, *say("Hello"))

    with serve(drain_timeout=0.2) as gateway:
        async with Caller(gateway) as caller:
            await caller.send(post(_STREAM))
            await _soon(scene.has_begun)
            gateway.terminate()
            answer = await caller.answer()
        await _soon(scene.was_left)
        code = await gateway.ended()

    assert ("Hello", "draining") == (answer.text, json.loads(answer.events[-1])["error"]["code"])
    assert b"[DONE]" not in answer.body
    assert 0 == code


async def test_with_nothing_to_wait_for_the_gateway_stops_at_once(serve: Serve) -> None:
    with serve() as gateway:
        async with Caller(gateway) as idle:
            await idle.send(get("/health"))
            await idle.answer()
            began = time.monotonic()
            gateway.terminate()

            assert 0 == await gateway.ended()
            assert time.monotonic() - began < _SOON


async def test_a_port_that_is_taken_is_a_clear_error(gateway: Gateway, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="is taken by another program"),
        Gateway("demo", "--port", str(gateway.port), folder=tmp_path),
    ):
        pass
    assert 200 == (await ask(gateway, get("/health"))).status


async def _soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(_PATIENCE):
        await event.wait()


async def _refuses_connections(gateway: Gateway) -> None:
    """The signal takes a moment to be heard."""
    async with asyncio.timeout(_PATIENCE):
        while await _takes_connections(gateway):  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def _takes_connections(gateway: Gateway) -> bool:
    try:
        async with Caller(gateway):
            return True
    except ConnectionRefusedError:
        return False
