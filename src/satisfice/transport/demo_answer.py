"""The demo model's answers in OpenAI's shape: whole, streamed, or an error.

The shapes are those of https://platform.openai.com/docs/api-reference/chat,
with the null values that OpenAI sends, since clients were written to them.
"""

from __future__ import annotations

import zlib
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from satisfice.transport.script import Body, Drip, Event, Head, Script, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Finish", "Form", "Pace", "Reply", "refuse", "stream", "whole"]

Finish = Literal["stop", "length", "tool_calls"]


class Pace(NamedTuple):
    """How fast a model answers, in seconds."""

    first_byte: float = 0.0
    """Until it begins."""
    per_token: float = 0.0
    """For each token after."""


class Reply(NamedTuple):
    """What the model says as one of the choices."""

    tokens: tuple[str, ...]
    """Of the text, or of the tool call's arguments."""
    finish: Finish
    tool: str | None = None
    """The function it calls instead of saying something."""
    call_id: str = ""


class Form(NamedTuple):
    """What an answer has besides the replies."""

    id: str
    created: int
    model: str
    prompt_tokens: int
    logprobs: int | None = None
    """How many alternatives to each token; None: no log probabilities."""
    include_usage: bool = False
    """A stream is to end with the token counts."""


def whole(form: Form, replies: Sequence[Reply], *, pace: Pace) -> Script:
    """One JSON body, sent when all its tokens would have been made."""
    usage = _usage(form, replies)
    choices = tuple(_choice(form, reply, index=index) for index, reply in enumerate(replies))
    completion = _Completion(form.id, "chat.completion", form.created, form.model, choices, usage)
    return _json_answer(200, completion, delay=pace.first_byte + pace.per_token * usage.completion_tokens)


def stream(form: Form, replies: Sequence[Reply], *, pace: Pace) -> Script:
    """An event a token, the choices in turn, the usage last if it was asked for."""
    begin: tuple[Step, ...] = (Wait(pace.first_byte), Head(200, ((b"content-type", b"text/event-stream"),)))
    drip = (Drip(pace.per_token),) if pace.per_token else ()
    turns = zip_longest(*(_deltas(form, reply, index=index) for index, reply in enumerate(replies)))
    usage = None if form.include_usage else UNSET
    events = [_event(form, (delta,), usage=usage) for turn in turns for delta in turn if delta is not None]
    if form.include_usage:
        events.append(_event(form, (), usage=_usage(form, replies)))
    return Script((*begin, *drip, *events, Event("[DONE]")))


def refuse(message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> Script:
    """An error as OpenAI words it."""
    return _json_answer(status, _Refusal(_Error(message, "invalid_request_error", param, code)))


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _Refusal(msgspec.Struct):
    error: _Error


class _PromptDetails(msgspec.Struct):
    cached_tokens: int = 0
    audio_tokens: int = 0


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int = 0
    audio_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _PromptDetails
    completion_tokens_details: _CompletionDetails


class _Chance(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int]


class _TokenChance(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[_Chance]


class _Logprobs(msgspec.Struct):
    content: list[_TokenChance]
    refusal: None = None


class _Function(msgspec.Struct, omit_defaults=True, kw_only=True):
    name: str | UnsetType = UNSET
    arguments: str


class _ToolCall(msgspec.Struct, omit_defaults=True, kw_only=True):
    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: _Function


class _Message(msgspec.Struct, omit_defaults=True):
    """The message of a choice, or what an event adds to it."""

    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: UnsetType | None = UNSET
    tool_calls: tuple[_ToolCall, ...] | UnsetType = UNSET


class _Choice(msgspec.Struct):
    index: int
    message: _Message
    logprobs: _Logprobs | None
    finish_reason: str


class _Delta(msgspec.Struct):
    index: int
    delta: _Message
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: tuple[_Choice, ...]
    usage: _Usage


class _Chunk(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: tuple[_Delta, ...]
    usage: _Usage | UnsetType | None


def _json_answer(status: int, body: msgspec.Struct, *, delay: float = 0.0) -> Script:
    head = Head(status, ((b"content-type", b"application/json"),))
    return Script((Wait(delay), head, Body(msgspec.json.encode(body).decode())))


def _event(form: Form, choices: tuple[_Delta, ...], *, usage: _Usage | UnsetType | None) -> Event:
    chunk = _Chunk(form.id, "chat.completion.chunk", form.created, form.model, choices, usage)
    return Event(msgspec.json.encode(chunk).decode())


def _usage(form: Form, replies: Sequence[Reply]) -> _Usage:
    made = sum(len(reply.tokens) for reply in replies)
    total = form.prompt_tokens + made
    return _Usage(form.prompt_tokens, made, total, _PromptDetails(), _CompletionDetails())


def _choice(form: Form, reply: Reply, *, index: int) -> _Choice:
    text = "".join(reply.tokens)
    if reply.tool is None:
        said = _Message("assistant", text, None)
        return _Choice(index, said, _logprobs(form, reply.tokens), reply.finish)
    call = _ToolCall(id=reply.call_id, type="function", function=_Function(name=reply.tool, arguments=text))
    return _Choice(index, _Message("assistant", None, None, (call,)), None, reply.finish)


def _deltas(form: Form, reply: Reply, *, index: int) -> Iterator[_Delta]:
    if reply.tool is None:
        yield _Delta(index, _Message("assistant", "", None))
        for token in reply.tokens:
            yield _Delta(index, _Message(content=token), _logprobs(form, (token,)))
    else:
        function = _Function(name=reply.tool, arguments="")
        begun = _ToolCall(index=0, id=reply.call_id, type="function", function=function)
        yield _Delta(index, _Message("assistant", None, None, (begun,)))
        for token in reply.tokens:
            yield _Delta(index, _Message(tool_calls=(_ToolCall(index=0, function=_Function(arguments=token)),)))
    yield _Delta(index, _Message(), finish_reason=reply.finish)


_OTHERS: Final = (" a", " the", " one", " some", " this", " that", " any", " each", " what", " who", " no", " all")


def _logprobs(form: Form, tokens: Sequence[str]) -> _Logprobs | None:
    if form.logprobs is None or not tokens:
        return None
    return _Logprobs([_token_chance(token, form.logprobs) for token in tokens])


def _token_chance(token: str, alternatives: int) -> _TokenChance:
    """The same for the same token: how sure the model was is read from the token's own bytes."""
    raw = token.encode()
    first = -(zlib.crc32(raw) % 500) / 1000
    likely = [token, *(other for other in _OTHERS if other != token)][:alternatives]
    ranked = [_Chance(each, first - 2.5 * rank, list(each.encode())) for rank, each in enumerate(likely)]
    return _TokenChance(token, first, list(raw), ranked)
