"""Each scenario that comes with the program, played by the real process: what it promises, its callers see.

They are the official client, with and without a stream, and one who looks at the bytes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from satisfice.transport.scenario import shipped
from tests.e2e.caller import Answer, ask, post
from tests.e2e.gateway import Gateway
from tests.e2e.sdk import SDK

Play = Callable[[str], Gateway]

_ASKED: dict[str, Any] = {"model": "demo-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
_SAID = "This is Satisfice's demo model:"

_UNNOTICED = ("200-error", "429", "500", "502-html", "blackhole", "cut-before-first-token", "refused", "tls")
_WITH_TESTS_OF_THEIR_OWN = (
    "10mb-event",
    "429-retry-after",
    "caller-leaves",
    "cut-after-first-token",
    "cut-mid-chunk",
    "demo",
    "slow-loris",
    "split-every-byte",
)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """The program with a scenario, by its name."""
    return lambda scenario: Gateway("demo", "--script", scenario, folder=tmp_path)


def test_no_scenario_is_left_out() -> None:
    assert sorted(shipped()) == sorted((*_UNNOTICED, *_WITH_TESTS_OF_THEIR_OWN))


@pytest.mark.parametrize("scenario", _UNNOTICED)
async def test_the_caller_notices_nothing(play: Play, scenario: str, python: SDK) -> None:
    with play(scenario) as gateway:
        whole, streamed, raw = await _ask_all(gateway, python)

    assert _SAID == whole["completion"]["choices"][0]["message"]["content"]
    assert _SAID == _text(streamed["chunks"])
    assert (_SAID, "[DONE]") == (raw.text, raw.events[-1])
    for headers in (whole["headers"], streamed["headers"], raw.headers):
        assert "steady" == headers["x-satisfice-provider"]
        # Who was at its limit for one call is left alone for a while by the next ones.
        assert headers["x-satisfice-retries"] in ({"0", "1"} if scenario == "429" else {"1"})


async def test_slow_loris_is_given_up_at_the_first_byte_timeout(play: Play, python: SDK) -> None:
    """Its comments are no output, so they don't count as signs of life."""
    with play("slow-loris") as gateway:
        began = time.monotonic()
        streamed, raw = await _at_once(
            python.create(gateway, stream=True, **_ASKED), ask(gateway, post(_ASKED | {"stream": True}))
        )
        took = time.monotonic() - began

    assert 2 <= took < 10
    assert _SAID == _text(streamed["chunks"])
    assert (_SAID, "[DONE]") == (raw.text, raw.events[-1])
    assert b": one moment" not in raw.body
    for headers in (streamed["headers"], raw.headers):
        assert ("steady", "1") == (headers["x-satisfice-provider"], headers["x-satisfice-retries"])


@pytest.mark.parametrize(
    ("scenario", "said"), [("cut-after-first-token", "This"), ("cut-mid-chunk", "This is Satisfice's")]
)
async def test_a_cut_after_the_first_token_ends_the_stream_with_an_error(
    play: Play, scenario: str, python: SDK, said: str
) -> None:
    """Half an answer isn't made to look like a whole one. Who doesn't stream has seen nothing: another answers."""
    with play(scenario) as gateway:
        whole, streamed, raw = await _ask_all(gateway, python)

    assert _SAID == whole["completion"]["choices"][0]["message"]["content"]
    assert ("steady", "1") == (whole["headers"]["x-satisfice-provider"], whole["headers"]["x-satisfice-retries"])
    assert said == _text(streamed["chunks"])
    assert ("APIError", "upstream_failed") == (streamed["error"]["type"], streamed["error"]["code"])
    error = json.loads(raw.events[-1])["error"]
    assert (said, "upstream_failed", "upstream") == (raw.text, error["code"], error["satisfice"]["source"])
    assert "flaky" in error["message"]
    assert b"[DONE]" not in raw.body
    assert ("flaky", "0") == (raw.headers["x-satisfice-provider"], raw.headers["x-satisfice-retries"])


async def test_an_upstream_that_says_when_to_come_back_is_waited_for(play: Play, python: SDK) -> None:
    with play("429-retry-after") as gateway:
        for stream in (False, True):
            began = time.monotonic()
            headers = (await python.create(gateway, stream=stream, **_ASKED))["headers"]

            assert ("busy", "1") == (headers["x-satisfice-provider"], headers["x-satisfice-retries"])
            assert 2 <= time.monotonic() - began < 10


async def test_an_event_of_ten_megabytes_comes_whole(play: Play, python: SDK) -> None:
    asked = _ASKED | {"stream": True, "stream_options": {"include_usage": True}}
    with play("10mb-event") as gateway:
        streamed, raw = await _at_once(python.create(gateway, **asked), ask(gateway, post(asked)))

    assert 10_000_000 == max(len(f"data: {data}\n\n") for data in raw.events)
    assert "[DONE]" == raw.events[-1]
    assert raw.text == _text(streamed["chunks"])
    assert {"x"} == set(raw.text)
    usage = streamed["chunks"][-1]["usage"]
    assert (2_500_000, 1_000_001) == (usage["completion_tokens"], usage["cost_msat"])


async def test_bytes_that_come_one_by_one_make_the_same_stream(play: Play, python: SDK) -> None:
    """What was said comes back in curly quotes, letters of three bytes."""
    with play("split-every-byte") as gateway:
        whole, streamed, raw = await _ask_all(gateway, python, max_tokens=18)

    said = whole["completion"]["choices"][0]["message"]["content"]
    assert said.endswith(" You said “Hi”.")
    assert [said, said] == [_text(streamed["chunks"]), raw.text]
    assert "[DONE]" == raw.events[-1]


async def test_a_call_is_broken_off_when_its_caller_leaves(play: Play, python: SDK) -> None:
    """The stream would go on for most of a minute. Told to stop, the gateway waits for open calls, and has none."""
    with play("caller-leaves") as gateway:
        asked = _ASKED | {"stream": True, "max_tokens": 50}
        seen = await python.do(gateway, "create", arguments=asked, leave_after=2)
        began = time.monotonic()
        gateway.terminate()
        code = await gateway.ended()
        took = time.monotonic() - began

    assert "This" == _text(seen["chunks"])
    assert 0 == code
    assert took < 5


async def _ask_all(gateway: Gateway, python: SDK, **changes: object) -> tuple[Any, Any, Answer]:
    """What the client sees without and with a stream, and the stream's bytes."""
    asked = {**_ASKED, **changes}
    whole, streamed, raw = await _at_once(
        python.create(gateway, **asked),
        python.create(gateway, stream=True, **asked),
        ask(gateway, post(asked | {"stream": True})),
    )
    return whole, streamed, raw


async def _at_once(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in asked]
    return [task.result() for task in tasks]


def _text(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
