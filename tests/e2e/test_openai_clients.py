"""The official `openai` clients, unmodified, against what `make demo` starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from tests.e2e.gateway import Gateway
from tests.e2e.sdk import SDK

_BEGINNING = "This is Satisfice's demo model:"
_USER = {"role": "user", "content": "How are you?"}
_PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


async def test_a_whole_answer_has_text_usage_and_what_it_cost(demo: Gateway, sdk: SDK) -> None:
    seen = await sdk.create(demo, model="demo-small", messages=[_USER], max_tokens=5)

    assert (_BEGINNING, "length") == _said(seen)
    assert 5 == seen["completion"]["usage"]["completion_tokens"]
    assert ("demo-small", "1") == (seen["headers"]["x-satisfice-model"], seen["headers"]["x-satisfice-demo"])
    assert seen["headers"]["x-satisfice-provider"] in {"thrift", "flicker", "tortoise"}
    assert seen["headers"]["x-satisfice-request-id"].startswith("req_")
    assert 1 <= int(seen["headers"]["x-satisfice-cost-msat"]) <= 10


async def test_a_stream_shows_usage_to_who_asked_for_it_last_and_with_the_cost(demo: Gateway, sdk: SDK) -> None:
    seen = await sdk.create(demo, model="demo-small", messages=[_USER], max_tokens=5, **_USAGE)

    *chunks, last = seen["chunks"]
    assert (_BEGINNING, "length") == _said(seen)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert [] == last["choices"]
    assert 5 == last["usage"]["completion_tokens"]
    assert 1 <= last["usage"]["cost_msat"] <= 10


async def test_a_stream_shows_no_usage_to_who_did_not_ask_for_it(demo: Gateway, sdk: SDK) -> None:
    """Hand-written loops read `chunk.choices[0]`, so a chunk without choices is not for them."""
    seen = await sdk.create(demo, model="demo-small", messages=[_USER], max_tokens=5, stream=True)

    assert (_BEGINNING, "length") == _said(seen)
    assert all(chunk["choices"] and chunk.get("usage") is None for chunk in seen["chunks"])


async def test_tools_are_called_and_their_answers_understood(demo: Gateway, sdk: SDK) -> None:
    async def converse(**options: object) -> None:
        asked = {"model": "demo-small", "tools": [_WEATHER], **options}
        call = _tool_call(await sdk.create(demo, messages=[_USER], **asked))

        assert "get_weather" == call["function"]["name"]
        assert ["city"] == list(json.loads(call["function"]["arguments"]))

        answered = {"role": "tool", "tool_call_id": call["id"], "content": "It rains."}
        turn = [_USER, {"role": "assistant", "tool_calls": [call]}, answered]
        seen = await sdk.create(demo, messages=turn, max_tokens=20, **asked)

        assert _text(seen).endswith(" The tool answered “It rains.”.")

    await _each_way(converse)


async def test_images_reach_the_model(demo: Gateway, sdk: SDK) -> None:
    parts = [{"type": "image_url", "image_url": {"url": _PIXEL}}] * 2

    async def show(**options: object) -> None:
        asked = {"model": "demo-small", "messages": [{"role": "user", "content": parts}], "max_tokens": 19, **options}

        assert _text(await sdk.create(demo, **asked)).endswith(" I see 2 images.")

    await _each_way(show)


async def test_several_choices_come_side_by_side(demo: Gateway, sdk: SDK) -> None:
    async def ask(**options: object) -> None:
        seen = await sdk.create(demo, model="demo-small", messages=[_USER], n=2, max_tokens=5, **options)

        assert [_BEGINNING, _BEGINNING] == [_text(seen, index) for index in range(2)]

    await _each_way(ask)


async def test_log_probabilities_come_with_their_tokens(demo: Gateway, sdk: SDK) -> None:
    async def ask(**options: object) -> None:
        asked = {"logprobs": True, "top_logprobs": 3, "max_tokens": 5, **options}
        seen = await sdk.create(demo, model="demo-small", messages=[_USER], **asked)

        tokens = [token for choice in _choices(seen) for token in (choice.get("logprobs") or {}).get("content", [])]
        assert _BEGINNING == "".join(token["token"] for token in tokens)
        assert all(token["logprob"] <= 0 and len(token["top_logprobs"]) == 3 for token in tokens)

    await _each_way(ask)


async def test_the_clients_own_stream_helper_puts_the_answer_together(demo: Gateway, sdk: SDK) -> None:
    """It is stricter than a loop: it ends with an error over any event that it doesn't know."""
    asked: dict[str, Any] = {"model": "demo-small", "messages": [_USER], "stop": " no"}
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(sdk.do(demo, "stream", arguments=asked | options))
            for options in ({}, {"stream_options": {"include_usage": True}})
        ]
    plain, with_usage = (task.result() for task in tasks)

    for seen in (plain, with_usage):
        assert (_BEGINNING, "stop") == _said(seen)
        assert seen["events"].count("chunk") >= 7  # the role, five words, the finish reason
    assert plain["completion"].get("usage") is None
    assert 5 == with_usage["completion"]["usage"]["completion_tokens"]


async def test_the_models_are_listed(demo: Gateway, sdk: SDK) -> None:
    assert ["auto", "demo-large", "demo-small"] == (await sdk.do(demo, "models"))["models"]


async def test_a_mistake_is_an_error_of_the_clients_own_kind(demo: Gateway, sdk: SDK) -> None:
    error = (await sdk.create(demo, model="demo-smal", messages=[_USER]))["error"]

    assert ("NotFoundError", 404, "model_not_found") == (error["type"], error["status"], error["code"])
    assert "Did you mean `demo-small`" in error["message"]
    assert "caller" == error["headers"]["x-satisfice-error-source"]


async def _each_way(ask: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Whole, streamed, and streamed with usage, at the same time."""
    async with asyncio.TaskGroup() as group:
        for options in ({}, {"stream": True}, _USAGE):
            group.create_task(ask(**options))


def _choices(seen: dict[str, Any]) -> list[Any]:
    answers = seen["chunks"] if "chunks" in seen else [seen["completion"]]
    return [choice for answer in answers for choice in answer["choices"]]


def _text(seen: dict[str, Any], index: int = 0) -> str:
    """What one of the choices says, streamed or not."""
    said = (choice.get("delta") or choice.get("message") for choice in _choices(seen) if choice["index"] == index)
    return "".join(part.get("content") or "" for part in said if part)


def _said(seen: dict[str, Any]) -> tuple[str, str]:
    """Text and finish reason of the only choice."""
    return _text(seen), _choices(seen)[-1]["finish_reason"]


def _tool_call(seen: dict[str, Any]) -> dict[str, Any]:
    """The one call of a tool, put together from its parts."""
    parts = [
        call
        for choice in _choices(seen)
        for call in (choice.get("delta") or choice.get("message") or {}).get("tool_calls") or ()
    ]
    arguments = "".join(part["function"]["arguments"] for part in parts)
    function = {"name": parts[0]["function"]["name"], "arguments": arguments}
    return {"id": parts[0]["id"], "type": "function", "function": function}
