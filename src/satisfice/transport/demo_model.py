"""The model that answers in the demo: it reads a chat request as OpenAI's API would and makes up a plausible answer.

No model runs. The same request gets the same answer but for its identifier
and its time, which come from the clock. A token is a word.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from satisfice.core.clock import new_id
from satisfice.transport.demo_answer import Form, Pace, Reply, refuse, stream, whole
from satisfice.transport.demo_schema import Json, sample
from satisfice.transport.script import Script, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from satisfice.core.clock import Clock
    from satisfice.ports import Sending

__all__ = ["CHAT_PATH", "MODELS_PATH", "answer", "list_models"]

CHAT_PATH: Final = "/chat/completions"
MODELS_PATH: Final = "/models"

_GIST_WORDS: Final = 12
_IMAGE_TOKENS: Final = 85
_BYTES_A_TOKEN: Final = 4

_INTRODUCTION: Final = "This is Satisfice's demo model: no real model was asked, and nothing left this machine."
_REMARKS: Final = (
    "Ask again: the next answer may come from another provider.",
    "Had a provider failed before the first word, you would not have noticed.",
    "Each word you see was an event of a stream, handed on as it came.",
    "A real model would have cost a few sats and known much more.",
    "The cheapest offer that was good enough got this call.",
    "Look at the response headers to see who answered and why.",
)


def answer(sending: Sending, clock: Clock, *, pace: Pace) -> Script:
    """What the demo model answers to this request: a completion, a stream of chunks, or an error in OpenAI's shape."""
    if sending.path != CHAT_PATH or sending.method != "POST":
        return refuse(f"Unknown request URL: {sending.method} {sending.path}", status=404, code="unknown_url")
    try:
        asked = msgspec.json.decode(sending.body, type=_Request)
        asked.check()
    except (msgspec.DecodeError, ValueError) as error:
        return refuse(f"Invalid request: {error}")
    seed = zlib.crc32(sending.body)
    form = Form(
        id=new_id("chatcmpl-demo", clock),
        created=clock.unix_ms() // 1_000,
        model=asked.model,
        prompt_tokens=_prompt_tokens(asked.messages),
        logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
    )
    replies = [_reply(asked, clock, seed=seed + index) for index in range(asked.n or 1)]
    return (stream if asked.stream else whole)(form, replies, pace=pace)


def list_models(models: Iterable[str], clock: Clock, *, owner: str) -> Script:
    """What a provider answers to `GET /models`."""
    created = clock.unix_ms() // 1_000
    data = [{"id": model, "object": "model", "created": created, "owned_by": owner} for model in models]
    return Script().head(200).body(msgspec.json.encode({"object": "list", "data": data}).decode())


class _Part(msgspec.Struct):
    """A part of a message: text, an image, a sound, a file."""

    type: str
    text: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        match self.content:
            case None:
                return ""
            case str(text):
                return text
            case parts:
                return "\n".join(part.text for part in parts if part.text)

    @property
    def images(self) -> int:
        return sum(part.type == "image_url" for part in self.content) if isinstance(self.content, list) else 0


class _Function(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None


class _NamedFunction(msgspec.Struct):
    name: str


class _ToolChoice(msgspec.Struct):
    type: str
    function: _NamedFunction | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _JsonSchema(msgspec.Struct):
    name: str
    schema: dict[str, Any] | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None


_TOOL_CHOICES: Final = ("none", "auto", "required")

_Count = Annotated[int, msgspec.Meta(ge=1)]


class _Request(msgspec.Struct):
    """What is read of a chat request; all else is passed over."""

    model: str
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: str | list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _ToolChoice | None = None
    response_format: _ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None

    @property
    def functions(self) -> list[_Function]:
        return [tool.function for tool in self.tools or () if tool.function is not None]

    def check(self) -> None:
        """What OpenAI refuses too; a ValueError."""
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("`top_logprobs` needs `logprobs` to be true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("`stream_options` needs `stream` to be true")
        if self.tool_choice is not None and not self.tools:
            raise ValueError("`tool_choice` needs `tools`")
        if isinstance(self.tool_choice, str) and self.tool_choice not in _TOOL_CHOICES:
            raise ValueError(f"`tool_choice` is one of {', '.join(_TOOL_CHOICES)} or names a tool")
        if isinstance(self.tool_choice, _ToolChoice) and self.tool_choice.function:
            name = self.tool_choice.function.name
            if name not in (function.name for function in self.functions):
                raise ValueError(f"`tool_choice` names the tool `{name}`, which isn't in `tools`")


def _prompt_tokens(messages: Sequence[_Message]) -> int:
    size = sum(len(message.role) + len(message.text.encode()) for message in messages)
    images = sum(message.images for message in messages)
    return -(-size // _BYTES_A_TOKEN) + _IMAGE_TOKENS * images


def _reply(asked: _Request, clock: Clock, *, seed: int) -> Reply:
    function = _function_to_call(asked)
    if function is None:
        tokens = words(_until_stop(_text(asked, seed), asked.stop))
        kept = _limited(tokens, asked)
        return Reply(kept, "stop" if len(kept) == len(tokens) else "length")
    tokens = words(_json(sample({"type": "object", **(function.parameters or {})})))
    kept = _limited(tokens, asked)
    return Reply(kept, "tool_calls" if len(kept) == len(tokens) else "length", function.name, new_id("call", clock))


def _function_to_call(asked: _Request) -> _Function | None:
    """The forced one or the first, and none once a tool has answered."""
    if asked.tool_choice == "none" or asked.messages[-1].role != "user":
        return None
    forced = asked.tool_choice.function if isinstance(asked.tool_choice, _ToolChoice) else None
    return next((each for each in asked.functions if forced is None or each.name == forced.name), None)


def _text(asked: _Request, seed: int) -> str:
    last = asked.messages[-1]
    gist = _gist(last.text)
    match asked.response_format:
        case _ResponseFormat("json_object"):
            return _json({"demo": True, "question": gist})
        case _ResponseFormat("json_schema", _JsonSchema(_, dict(schema))):
            return _json(sample(schema))
    heard = f"{'The tool answered' if last.role == 'tool' else 'You said'} “{gist}”." if gist else ""
    images = sum(message.images for message in asked.messages)
    seen = f"I see {images} image{'s' if images > 1 else ''}." if images else ""
    return " ".join(filter(None, (_INTRODUCTION, heard, seen, _REMARKS[seed % len(_REMARKS)])))


def _gist(text: str) -> str:
    found = text.split()
    return " ".join(found[:_GIST_WORDS]) + (" …" if len(found) > _GIST_WORDS else "")


def _json(value: Json) -> str:
    """With spaces, so that there is something to stream."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _until_stop(text: str, stop: str | list[str] | None) -> str:
    for sequence in [stop] if isinstance(stop, str) else stop or ():
        text = text.partition(sequence)[0] if sequence else text
    return text


def _limited(tokens: list[str], asked: _Request) -> tuple[str, ...]:
    return tuple(tokens[: asked.max_completion_tokens or asked.max_tokens])
