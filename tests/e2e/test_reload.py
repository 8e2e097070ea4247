"""The file is changed, and the process started anew: no call notices, and what was learnt stays."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.caller import Caller, ask, get, post, question
from tests.e2e.gateway import Gateway, config
from tests.e2e.upstream import DONE, END, STREAM, Asked, Upstream, piece, say, whole

_PATIENCE = 10.0
_STREAM = question(stream=True)
_BUSY = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
async def other() -> AsyncIterator[Upstream]:
    """Another provider of the same model."""
    async with Upstream() as upstream:
        yield upstream
        assert [] == upstream.failures


class Scene:
    """A gateway whose file sells `small` of one upstream after the other."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "satisfice.toml"
        self.gateway = Gateway("serve", "--config", str(self.file), "--log", "json", folder=folder)

    def sell(self, *upstreams: Upstream, **server: object) -> None:
        """Each is dearer by far than the one before."""
        providers = [
            {"name": f"p{upstream.port}", "url": upstream.url, "models": {"small": (1_000**rank, 1_000**rank)}}
            for rank, upstream in enumerate(upstreams, 1)
        ]
        self.file.write_text(config(*providers, server=server))

    async def tells(self, event: str, times: int = 1) -> Any:  # noqa: ANN401 - a test knows what it waits for
        """The latest event of this kind, once there are so many."""
        async with asyncio.timeout(_PATIENCE):
            while len(told := list(self._told(event))) < times:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.01)
        return told[-1]

    def _told(self, event: str) -> Iterator[object]:
        for line in self.gateway.output.splitlines():
            if line.startswith(f'{{"event":"{event}"'):
                yield json.loads(line)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_stream_ends_well_and_the_next_call_goes_to_the_new_provider(
    scene: Scene, upstream: Upstream, other: Upstream
) -> None:
    may_go_on = asyncio.Event()

    async def play(asked: Asked) -> None:
        await asked.send(STREAM, *say("Hello"))
        await may_go_on.wait()
        await asked.send(*say(" you"), piece(DONE), END)

    upstream.play = play
    scene.sell(upstream)
    with scene.gateway as gateway:
        async with Caller(gateway) as caller:
            await caller.send(post(_STREAM))
            head, first = await caller.head(), await caller.piece()
            scene.sell(other)
            assert 1 == (await scene.tells("reloaded"))["open_calls"]
            answer = await ask(gateway, post(question()))

            may_go_on.set()
            stream = head._replace(body=b"".join([first, *[each async for each in caller.pieces()]]))

            # The connection goes on, too, and its next call is the new provider's.
            await caller.send(post(question()))
            assert 200 == (await caller.answer()).status

    assert ("Hello you", "[DONE]") == (stream.text, stream.events[-1])
    assert f"p{other.port}" == answer.headers["x-satisfice-provider"]
    assert (1, 2) == (len(upstream.asked), len(other.asked))


async def test_a_request_whose_body_is_on_its_way_meanwhile_is_answered(
    scene: Scene, upstream: Upstream, other: Upstream
) -> None:
    scene.sell(upstream)
    request = post(question())
    with scene.gateway as gateway:
        async with Caller(gateway) as caller:
            await caller.send(request[:-10])
            scene.sell(other)
            await scene.tells("reloaded")
            await caller.send(request[-10:])

            assert 200 == (await caller.answer()).status


async def test_a_bad_file_leaves_the_old_one_in_force_and_says_why(scene: Scene, upstream: Upstream) -> None:
    scene.sell(upstream)
    with scene.gateway as gateway:
        scene.sell(upstream, mastre_token="canary-0123456789")
        refusal = await scene.tells("not_reloaded")
        assert 200 == (await ask(gateway, post(question()))).status

        # Mended, it comes into force.
        scene.sell(upstream, max_body_mib=1)
        await scene.tells("reloaded")
        assert 413 == (await ask(gateway, post(b" " * (2 << 20)))).status

    [problem] = refusal["problems"]
    assert ("unknown-key", 2, "did you mean `access_token`?") == (problem["code"], problem["line"], problem["hint"])
    assert "canary" not in gateway.output


async def test_on_sighup_the_file_is_read_again_at_once(scene: Scene, upstream: Upstream, other: Upstream) -> None:
    scene.sell(upstream)
    with scene.gateway as gateway:
        for times, each in enumerate((other, upstream), 1):
            scene.sell(each)
            gateway.send(signal.SIGHUP)
            await scene.tells("reloaded", times)
            assert f"p{each.port}" == (await ask(gateway, post(question()))).headers["x-satisfice-provider"]


async def test_who_was_left_alone_is_left_alone_after_a_restart(
    scene: Scene, upstream: Upstream, other: Upstream, tmp_path: Path
) -> None:
    """It is cheaper by far than the other one, so that only its open breaker keeps it from being asked."""

    async def fail(asked: Asked) -> None:
        await asked.send(_BUSY)

    upstream.play = fail
    scene.sell(upstream)
    with scene.gateway as gateway:
        for _ in range(3):
            await ask(gateway, post(question()))
        assert re.search(rf"small@p{upstream.port} is left alone", gateway.output)
    asked = len(upstream.asked)

    upstream.play = lambda asked: asked.send(whole("I am well again"))
    scene.sell(upstream, other)
    with Scene(tmp_path).gateway as gateway:
        providers = [(await ask(gateway, post(question()))).headers["x-satisfice-provider"] for _ in range(3)]
        health = await ask(gateway, get("/health"))

    assert [f"p{other.port}"] * 3 == providers
    assert asked == len(upstream.asked)
    assert "degraded" == health.json["status"]
