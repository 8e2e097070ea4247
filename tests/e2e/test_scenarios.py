"""Each scenario that comes with the program, played by the real process: what its description promises, the caller sees.

Callers are the official client and one who looks at the bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from satisfice.transport.scenario import shipped
from tests.e2e.caller import Answer, Caller, ask, post
from tests.e2e.gateway import Gateway
from tests.e2e.sdk import SDK

Play: TypeAlias = Callable[[str], AbstractAsyncContextManager[Gateway]]

_ASKED: Mapping[str, Any] = {"model": "demo-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
_SAID = "This is Satisfice's demo model:"

_UNNOTICED_IN_STREAMS = ("slow-loris",)
_UNNOTICED = (
    "200-error",
    "429",
    "500",
    "502-html",
    "blackhole",
    "cut-before-first-token",
    "refused",
    "tls",
)
_NOTICED = (
    "10mb-event",
    "429-retry-after",
    "caller-leaves",
    "cut-after-first-token",
    "cut-mid-chunk",
    "split-every-byte",
)
_PLAYED_BY_ALL_CLIENTS = ("demo",)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Starts the program with a scenario."""

    @asynccontextmanager
    async def play(scenario: str) -> AsyncIterator[Gateway]:
        with Gateway("demo", "--script", scenario, folder=tmp_path) as gateway:
            yield gateway

    return play


def test_no_scenario_is_left_out() -> None:
    played = (*_UNNOTICED_IN_STREAMS, *_UNNOTICED, *_NOTICED, *_PLAYED_BY_ALL_CLIENTS)

    assert sorted(shipped()) == sorted(played)


@pytest.mark.parametrize("scenario", _UNNOTICED)
async def test_the_caller_notices_nothing(play: Play, scenario: str, python: SDK) -> None:
    async with play(scenario) as gateway:
        whole, streamed, raw = await _at_once(
            python.create(gateway, **_ASKED),
            python.create(gateway, **_ASKED, stream=True),
            _streamed(gateway),
        )

    assert _SAID == whole["completion"]["choices"][0]["message"]["content"]
    assert _SAID == "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in streamed["chunks"])
    assert (_SAID, "[DONE]") == (raw.text, raw.events[-1])
    for headers in (whole["headers"], streamed["headers"], raw.headers):
        assert ("steady", "1") == (headers["x-satisfice-provider"], headers["x-satisfice-retries"])
