"""The demo's answers have OpenAI's shape, as OpenAI's own client reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice

from satisfice.transport.demo_answer import Form, Pace, Reply, refuse, stream, whole
from satisfice.transport.script import Body, Drip, Event, Head, Script, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

_NOW = Pace()
_PLAIN = Form(id="chatcmpl-1", created=1_764_000_000, model="demo-small", prompt_tokens=9)
_FULL = Form(
    id="chatcmpl-2", created=1_764_000_000, model="demo-small", prompt_tokens=9, logprobs=3, include_usage=True
)
_TEXT = Reply(("One", " two", " 三."), "stop")
_SHORT = Reply(("One",), "length")
_EMPTY = Reply((), "stop")
_CALL = Reply(('{"city":', ' "Lisbon"}'), "tool_calls", tool="weather", call_id="call_1")

_ANSWERS = [
    (_PLAIN, [_TEXT]),
    (_FULL, [_TEXT]),
    (_PLAIN, [_CALL]),
    (_FULL, [_CALL]),
    (_FULL, [_TEXT, _SHORT, _EMPTY]),
]


def _completion(script: Script) -> ChatCompletion:
    body = next(step.text for step in script.steps if isinstance(step, Body))
    completion = ChatCompletion.model_validate_json(body, strict=True)
    _check_known(completion)
    return completion


def _chunks(script: Script) -> list[ChatCompletionChunk]:
    events = [step.data for step in script.steps if isinstance(step, Event)]
    assert "[DONE]" == events[-1]
    chunks = [ChatCompletionChunk.model_validate_json(event, strict=True) for event in events[:-1]]
    for chunk in chunks:
        _check_known(chunk)
    return chunks


def _check_known(model: BaseModel) -> None:
    """OpenAI's types let unknown fields pass, so look for them, all the way down."""
    assert not model.model_extra
    for value in vars(model).values():
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "model_extra"):
                _check_known(each)


@pytest.mark.parametrize(("form", "replies"), _ANSWERS)
def test_a_stream_adds_up_to_the_whole_answer(form: Form, replies: Sequence[Reply]) -> None:
    """Added up by the accumulator of OpenAI's client."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in _chunks(stream(form, replies, pace=_NOW)):
        state.handle_chunk(chunk)
    streamed = state.current_completion_snapshot
    expected = _completion(whole(form, replies, pace=_NOW))

    assert list(map(_said, expected.choices)) == list(map(_said, streamed.choices))
    assert (expected.usage if form.include_usage else None) == streamed.usage
    assert (expected.id, expected.created, expected.model) == (streamed.id, streamed.created, streamed.model)


def _said(choice: Choice) -> tuple[object, ...]:
    calls = [
        (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    return choice.index, choice.finish_reason, choice.message.content, calls, choice.logprobs


def test_a_whole_answer() -> None:
    completion = _completion(whole(_PLAIN, [_TEXT, _SHORT], pace=_NOW))

    assert ["One two 三.", "One"] == [choice.message.content for choice in completion.choices]
    assert ["stop", "length"] == [choice.finish_reason for choice in completion.choices]
    assert [0, 1] == [choice.index for choice in completion.choices]
    assert (9, 4, 13) == (
        completion.usage and completion.usage.prompt_tokens,
        completion.usage and completion.usage.completion_tokens,
        completion.usage and completion.usage.total_tokens,
    )


def test_a_stream_begins_with_the_role_and_ends_with_the_reason() -> None:
    first, *middle, last = _chunks(stream(_PLAIN, [_TEXT], pace=_NOW))

    assert ("assistant", "") == (first.choices[0].delta.role, first.choices[0].delta.content)
    assert ["One", " two", " 三."] == [chunk.choices[0].delta.content for chunk in middle]
    assert {} == last.choices[0].delta.to_dict()
    assert [None, None, None, None, "stop"] == [chunk.choices[0].finish_reason for chunk in (first, *middle, last)]


def test_the_choices_of_a_stream_take_turns() -> None:
    chunks = _chunks(stream(_PLAIN, [_TEXT, _SHORT], pace=_NOW))

    assert [0, 1, 0, 1, 0, 1, 0, 0] == [chunk.choices[0].index for chunk in chunks]


def test_usage_comes_last_and_is_null_before_if_it_was_asked_for() -> None:
    *before, last = (step.data for step in stream(_FULL, [_TEXT], pace=_NOW).steps[2:-1] if isinstance(step, Event))

    assert all('"usage":null' in event for event in before)
    assert [] == msgspec.json.decode(last)["choices"]
    assert 12 == msgspec.json.decode(last)["usage"]["total_tokens"]


def test_usage_is_not_mentioned_if_it_was_not_asked_for() -> None:
    assert not any("usage" in step.data for step in stream(_PLAIN, [_TEXT], pace=_NOW).steps if isinstance(step, Event))


def test_a_tool_call_is_streamed_as_fragments_of_its_arguments() -> None:
    first, *middle, last = _chunks(stream(_PLAIN, [_CALL], pace=_NOW))
    begun = first.choices[0].delta.tool_calls

    assert begun
    assert [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}] == [
        call.to_dict() for call in begun
    ]
    assert [
        {"index": 0, "function": {"arguments": '{"city":'}},
        {"index": 0, "function": {"arguments": ' "Lisbon"}'}},
    ] == [call.to_dict() for chunk in middle for call in chunk.choices[0].delta.tool_calls or ()]
    assert "tool_calls" == last.choices[0].finish_reason


def test_log_probabilities_cover_every_token_likeliest_first() -> None:
    logprobs = _completion(whole(_FULL, [_TEXT], pace=_NOW)).choices[0].logprobs

    assert logprobs
    assert logprobs.content
    assert ["One", " two", " 三."] == [each.token for each in logprobs.content]
    for each in logprobs.content:
        ranked = [alternative.logprob for alternative in each.top_logprobs]
        assert (3, each.token, each.logprob) == (len(ranked), each.top_logprobs[0].token, ranked[0])
        assert sorted(ranked, reverse=True) == ranked
        assert each.token == bytes(each.bytes or ()).decode()


def test_no_alternatives_are_given_if_none_were_asked_for() -> None:
    form = Form(id="x", created=1, model="m", prompt_tokens=1, logprobs=0)
    logprobs = _completion(whole(form, [_SHORT], pace=_NOW)).choices[0].logprobs

    assert logprobs
    assert [[]] == [each.top_logprobs for each in logprobs.content or ()]


def test_a_stream_keeps_its_pace() -> None:
    steps = stream(_PLAIN, [_SHORT], pace=Pace(first_byte=0.5, per_token=0.25)).steps

    assert (Wait(0.5), Head(200, ((b"content-type", b"text/event-stream"),)), Drip(0.25)) == steps[:3]


def test_a_whole_answer_takes_as_long_as_its_stream() -> None:
    assert Wait(0.5 + 3 * 0.25) == whole(_PLAIN, [_TEXT], pace=Pace(first_byte=0.5, per_token=0.25)).steps[0]


def test_an_error_is_in_openais_shape() -> None:
    _, head, body = refuse("No.", status=404, param="model", code="model_not_found").steps

    assert Head(404, ((b"content-type", b"application/json"),)) == head
    assert isinstance(body, Body)
    assert {
        "error": {"message": "No.", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
    } == msgspec.json.decode(body.text)
