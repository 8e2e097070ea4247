"""The demo model does what a request asks for, and says that it is a demo."""

from __future__ import annotations

import msgspec
import pytest
from openai.pagination import SyncPage
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice

from satisfice.core.clock import ManualClock
from satisfice.ports import Sending
from satisfice.transport.demo_answer import Pace
from satisfice.transport.demo_model import CHAT_PATH, MODELS_PATH, answer, list_models
from satisfice.transport.demo_schema import Json
from satisfice.transport.script import Body, Event, Head, Script

_USER: Json = {"role": "user", "content": "How tall is the tower of Belém?"}
_WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        },
    },
}
_CLOCK: Json = {"type": "function", "function": {"name": "clock"}}


def _ask(asked: dict[str, Json]) -> Script:
    body = msgspec.json.encode({"model": "demo-small", "messages": [_USER], **asked})
    return answer(Sending(CHAT_PATH, body), ManualClock(), pace=Pace())


def _body(script: Script) -> str:
    return next(step.text for step in script.steps if isinstance(step, Body))


def _choices(asked: dict[str, Json]) -> list[Choice]:
    return ChatCompletion.model_validate_json(_body(_ask(asked)), strict=True).choices


def _text(asked: dict[str, Json]) -> str:
    return _choices(asked)[0].message.content or ""


def _call(asked: dict[str, Json]) -> tuple[str, Json] | None:
    for call in _choices(asked)[0].message.tool_calls or ():
        if call.type == "function":
            return call.function.name, msgspec.json.decode(call.function.arguments)
    return None


def _error(script: Script) -> tuple[int, str]:
    status = next(step.status for step in script.steps if isinstance(step, Head))
    return status, msgspec.json.decode(_body(script))["error"]["message"]


def test_it_says_that_it_is_a_demo_and_what_it_was_asked() -> None:
    text = _text({})

    assert "demo model" in text
    assert "You said “How tall is the tower of Belém?”" in text


def test_the_same_request_gets_the_same_answer() -> None:
    assert _ask({}) == _ask({})


def test_another_request_may_get_another() -> None:
    assert 1 < len({_text({"user": str(number)}) for number in range(20)})


def test_only_the_gist_of_a_long_question_is_said_again() -> None:
    assert "“word word word word word word word word word word word word …”" in _text(
        {"messages": [{"role": "user", "content": "word " * 13}]}
    )


def test_the_answer_names_the_model_asked_for_and_the_clocks_time() -> None:
    completion = ChatCompletion.model_validate_json(_body(_ask({"model": "x"})))

    assert ("x", 1_764_000_000) == (completion.model, completion.created)
    assert completion.id.startswith("chatcmpl-demo_")


def test_it_streams_if_asked_to() -> None:
    events = [step.data for step in _ask({"stream": True}).steps if isinstance(step, Event)]
    chunks = [ChatCompletionChunk.model_validate_json(event) for event in events[:-1]]

    assert _text({"stream": False})[:20] == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)[:20]
    assert "[DONE]" == events[-1]


def test_usage_is_streamed_if_asked_for() -> None:
    events = [
        step.data
        for step in _ask({"stream": True, "stream_options": {"include_usage": True}}).steps
        if isinstance(step, Event)
    ]
    usage = ChatCompletionChunk.model_validate_json(events[-2]).usage

    assert usage
    assert 9 == usage.prompt_tokens
    assert len(events) - 4 == usage.completion_tokens  # without role, reason, usage and terminator


def test_a_longer_prompt_has_more_tokens_and_an_image_85() -> None:
    def prompt_tokens(content: Json) -> int:
        script = _ask({"messages": [{"role": "user", "content": content}]})
        usage = ChatCompletion.model_validate_json(_body(script)).usage
        return usage.prompt_tokens if usage else 0

    image: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}

    assert 1 + 25 == prompt_tokens("x" * 100)
    assert 1 + 25 + 85 == prompt_tokens([{"type": "text", "text": "x" * 100}, image])


@pytest.mark.parametrize(("count", "words"), [(1, "I see 1 image."), (2, "I see 2 images.")])
def test_images_are_acknowledged(count: int, words: str) -> None:
    image: Json = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    content: Json = [{"type": "text", "text": "What is this?"}, *[image] * count]

    text = _text({"messages": [{"role": "user", "content": content}]})

    assert words in text
    assert "“What is this?”" in text


def test_several_choices() -> None:
    choices = _choices({"n": 3})

    assert [0, 1, 2] == [choice.index for choice in choices]
    assert 3 == len({choice.message.content for choice in choices})


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_no_more_tokens_than_allowed(key: str) -> None:
    choice = _choices({key: 2})[0]

    assert ("This is", "length") == (choice.message.content, choice.finish_reason)


def test_an_answer_that_just_fits_is_not_too_long() -> None:
    choice = _choices({"max_tokens": 1_000})[0]

    assert "stop" == choice.finish_reason


@pytest.mark.parametrize("stop", ["demo", ["!", "demo"], ["", "demo", "model"]])
def test_it_stops_before_a_stop_sequence(stop: Json) -> None:
    choice = _choices({"stop": stop})[0]

    assert ("This is Satisfice's ", "stop") == (choice.message.content, choice.finish_reason)


def test_log_probabilities_are_given_if_asked_for() -> None:
    logprobs = _choices({"logprobs": True, "top_logprobs": 2, "max_tokens": 1})[0].logprobs

    assert logprobs
    assert [2] == [len(each.top_logprobs) for each in logprobs.content or ()]
    assert _choices({})[0].logprobs is None


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", ("weather", {"city": "Lisbon", "days": 2})),
        ("required", ("weather", {"city": "Lisbon", "days": 2})),
        (None, ("weather", {"city": "Lisbon", "days": 2})),
        ({"type": "function", "function": {"name": "clock"}}, ("clock", {})),
        ("none", None),
    ],
)
def test_it_calls_the_first_tool_or_the_forced_one_or_none(choice: Json, called: tuple[str, Json] | None) -> None:
    asked: dict[str, Json] = {"tools": [_WEATHER, _CLOCK], "tool_choice": choice}

    assert called == _call(asked)
    assert ("tool_calls" if called else "stop") == _choices(asked)[0].finish_reason


def test_it_says_what_a_tool_answered() -> None:
    messages: Json = [
        _USER,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It is 30 metres tall."},
    ]

    assert "The tool answered “It is 30 metres tall.”" in _text({"messages": messages, "tools": [_WEATHER]})


def test_a_tool_of_a_kind_it_does_not_know_is_not_called() -> None:
    assert _call({"tools": [{"type": "custom", "custom": {"name": "shell"}}]}) is None


def test_a_tool_call_can_be_too_long_too() -> None:
    assert "length" == _choices({"tools": [_WEATHER], "max_tokens": 1})[0].finish_reason


def test_json_is_answered_if_asked_for() -> None:
    text = _text({"response_format": {"type": "json_object"}})

    assert {"demo": True, "question": "How tall is the tower of Belém?"} == msgspec.json.decode(text)


def test_json_of_a_schema_is_answered_if_asked_for() -> None:
    schema: Json = {"type": "object", "properties": {"tall": {"type": "number"}}, "required": ["tall"]}
    text = _text({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}})

    assert {"tall": 1} == msgspec.json.decode(text)


def test_text_is_answered_in_the_format_text() -> None:
    assert "demo model" in _text({"response_format": {"type": "text"}})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"messages": []}, "`$.messages`"),
        ({"messages": [{"content": "x"}]}, "`role`"),
        ({"messages": [{"role": "user", "content": 3}]}, "`$.messages[0].content`"),
        ({"model": None}, "`$.model`"),
        ({"n": 0}, "`$.n`"),
        ({"max_tokens": 0}, "`$.max_tokens`"),
        ({"top_logprobs": 2}, "`logprobs`"),
        ({"logprobs": True, "top_logprobs": 21}, "`$.top_logprobs`"),
        ({"stream_options": {"include_usage": True}}, "`stream`"),
        ({"tool_choice": "auto"}, "needs `tools`"),
        ({"tools": [_CLOCK], "tool_choice": "always"}, "none, auto, required"),
        ({"tools": [_CLOCK], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "the tool `x`"),
    ],
)
def test_what_openai_refuses_is_refused(asked: dict[str, Json], message: str) -> None:
    status, said = _error(_ask(asked))

    assert 400 == status
    assert message in said


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    assert 400 == _error(answer(Sending(CHAT_PATH, body), ManualClock(), pace=Pace()))[0]


@pytest.mark.parametrize("sending", [Sending("/images", b"{}"), Sending(CHAT_PATH, b"", method="GET")])
def test_an_unknown_path_is_refused(sending: Sending) -> None:
    assert (404, f"Unknown request URL: {sending.method} {sending.path}") == _error(
        answer(sending, ManualClock(), pace=Pace())
    )


def test_the_models_are_listed_as_openai_does() -> None:
    page = SyncPage[Model].model_validate_json(_body(list_models(("a", "b"), ManualClock(), owner="acme")))

    assert [("a", "acme"), ("b", "acme")] == [(model.id, model.owned_by) for model in page.data]
    assert "/models" == MODELS_PATH
