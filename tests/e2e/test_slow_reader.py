"""A caller who reads slowly slows its upstream down, and costs the gateway no memory."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable

import pytest

from tests.e2e.caller import Caller, post, question
from tests.e2e.gateway import Serve
from tests.e2e.upstream import DONE, END, STREAM, Asked, Upstream, chunk, piece

_MIB = 1 << 20
_EVENTS = 2_000
_PATIENCE = 10.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory another process has had")
async def test_a_caller_who_does_not_read_holds_its_upstream_up_and_then_gets_all(
    serve: Serve, upstream: Upstream
) -> None:
    """32 MB, of which the system's buffers on the way hold a part, and the gateway next to nothing."""
    sent = 0
    digest = hashlib.sha256()

    async def play(asked: Asked) -> None:
        nonlocal sent
        await asked.send(STREAM)
        for number in range(_EVENTS):
            event = chunk({"content": f"{number:04}" * 4_000})
            digest.update(event)
            await asked.send(piece(event))
            sent += 1
        digest.update(DONE)
        await asked.send(piece(DONE), END)

    upstream.play = play
    with serve() as gateway:
        before = gateway.peak_memory
        async with Caller(gateway, window=_MIB // 4) as caller:
            await caller.send(post(question(stream=True)))
            await caller.head()
            await _stands_still(lambda: sent)
            held_up_at = sent
            read = hashlib.sha256()
            async for data in caller.pieces():
                read.update(data)
        grown = gateway.peak_memory - before

    assert held_up_at < _EVENTS * 2 // 3
    assert digest.digest() == read.digest()
    assert grown < 8 * _MIB


async def _stands_still(progress: Callable[[], int]) -> None:
    """Return when there has been none for a while. On a slow machine that may be early, which only asks for less."""
    async with asyncio.timeout(_PATIENCE):
        last = -1
        while (now := progress()) != last or now == 0:
            last = now
            await asyncio.sleep(0.2)
