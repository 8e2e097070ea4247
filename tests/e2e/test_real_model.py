"""A real model answers: llama.cpp's own server, behind a provider that would be cheaper if it were there."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway import Gateway, config
from tests.e2e.sdk import SDK

_PATIENCE = 60.0
# Greedy, and without what is left of an earlier prompt, so that it always says the same.
_ASKED: dict[str, Any] = {
    "model": "gemma",
    "messages": [{"role": "user", "content": "Count to five."}],
    "max_tokens": 8,
    "temperature": 0,
    "extra_body": {"cache_prompt": False},
}


@pytest.fixture(scope="module")
async def llama() -> AsyncIterator[str]:
    """The address of the server."""
    pytest.importorskip("xllamacpp", reason="llama.cpp's server comes with a package for Linux")
    pipe = asyncio.subprocess.PIPE
    script = Path(__file__).with_name("llama_server.py")
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(_PATIENCE):
        address = (await process.stdout.readline()).decode().strip()
    yield address
    process.stdin.close()
    await process.wait()


@pytest.fixture(scope="module")
def market(llama: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows two providers of the model: the cheap one is dead."""
    folder = tmp_path_factory.mktemp("market")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens, so that the port refuses
        cheap = {
            "name": "cheap",
            "url": f"http://127.0.0.1:{taken.getsockname()[1]}/v1",
            "failures": 100,  # so that it is asked each time, and each call shows the failover
            "models": {"gemma": (1, 1)},
        }
        local = {"name": "local", "url": f"{llama}/v1", "models": {"gemma": (1_000_000, 2_000_000)}}
        path = folder / "satisfice.toml"
        path.write_text(config(cheap, local))
        with Gateway("serve", "--config", str(path), folder=folder) as gateway:
            yield gateway


@pytest.mark.timeout(180)
async def test_a_real_model_streams_past_a_dead_provider(market: Gateway, sdk: SDK) -> None:
    asked = _ASKED | {"stream": True, "stream_options": {"include_usage": True}}
    streamed = await sdk.create(market, **asked)
    whole = await sdk.create(market, **_ASKED)

    assert ("local", "gemma", "1") == _told(streamed)
    assert ("local", "gemma", "1") == _told(whole)
    *chunks, last = streamed["chunks"]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["completion"]["choices"][0]["message"]["content"]
    assert text.strip()
    for usage in (last["usage"], whole["completion"]["usage"]):
        assert 8 == usage["completion_tokens"]
        assert usage["prompt_tokens"] > 8
    cost = last["usage"]["prompt_tokens"] + 2 * 8
    assert [cost, str(cost)] == [last["usage"]["cost_msat"], whole["headers"]["x-satisfice-cost-msat"]]


def _told(seen: dict[str, Any]) -> tuple[str, str, str]:
    headers = seen["headers"]
    return headers["x-satisfice-provider"], headers["x-satisfice-model"], headers["x-satisfice-retries"]
