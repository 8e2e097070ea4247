"""Chat Completions: parse, prepare, read answers and streams, render errors.

Source: https://platform.openai.com/docs/api-reference/chat, and what other
providers make of it (noted where it matters).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final, TypeGuard

import msgspec
from msgspec import UNSET, Raw, UnsetType

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import (
    BadKey,
    BadRequest,
    Break,
    Broken,
    CallerError,
    GatewayError,
    UpstreamBusy,
    UpstreamUnfunded,
)
from satisfice.wire.body import Body, leniently
from satisfice.wire.request import Ability, Frame, FrameKind, Reading, Request
from satisfice.wire.sse import encode

__all__ = ["OpenAIChat"]


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Cached(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Reasoned(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None
    completion_tokens_details: _Reasoned | None = None
    cost: Raw | UnsetType = UNSET
    cost_msat: Raw | UnsetType = UNSET


_Amount = Annotated[int, msgspec.Meta(ge=0)]


class _Cost(msgspec.Struct, gc=False):
    total_msats: _Amount


class _Answer(msgspec.Struct, gc=False):
    choices: list[Raw] | None = None
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class _Choice(msgspec.Struct, gc=False):
    delta: dict[str, Raw] | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    object: Raw | UnsetType = UNSET


class _Error(msgspec.Struct, gc=False):
    code: int | str | None = None


class _Message(msgspec.Struct, gc=False):
    role: str | None = None
    content: Raw | UnsetType = UNSET


class _Part(msgspec.Struct, gc=False):
    text: str | None = None


class _Format(msgspec.Struct, gc=False):
    type: str | None = None


_str = msgspec.json.Decoder(str).decode
_bool = msgspec.json.Decoder(bool | None).decode
_int = msgspec.json.Decoder(int | None).decode
_stream_options = msgspec.json.Decoder(_StreamOptions | None).decode
_usage = msgspec.json.Decoder(_Usage | None).decode
_cost = msgspec.json.Decoder(_Cost).decode
_amount = msgspec.json.Decoder(_Amount).decode
_answer = msgspec.json.Decoder(_Answer).decode
_chunk = msgspec.json.Decoder(_Chunk).decode
_error = msgspec.json.Decoder(_Error).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_message = msgspec.json.Decoder(_Message).decode
_content = msgspec.json.Decoder(str | list[_Part] | None).decode
_format = msgspec.json.Decoder(_Format | None).decode
_dumps = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_DONE: Final = b"[DONE]"
_EMPTY: Final = frozenset((b"null", b'""', b"[]", b"{}"))
_MOST_TOKENS: Final = 10**9
"""What is more is nonsense, and a caller may write any number of digits; it is handed on as it is."""
_NULL: Final = Raw(b"null")
_NONE: Final = Raw(b'"none"')
_VLLM_ERROR: Final = Raw(b'"error"')
_ERROR_STATUS: Final = re.compile(r"[45][0-9][0-9]")


class OpenAIChat:
    """The dialect of `POST /v1/chat/completions`."""

    name = "openai_chat"
    path = "/chat/completions"
    # Both end in a letter that is rare in JSON: the search skips ahead. "prompt_tok" is in every usage object.
    markers = (b"prompt_tok", b"[DONE")

    def parse(self, raw: bytes) -> Request:
        """The request in a body, or `BadRequest`."""
        body = Body(raw)
        get = body.get
        try:
            model = None if (value := get("model")) is None else _str(value)
            stream = (value := get("stream")) is not None and _bool(value) is True
            options = _stream_options(value) if stream and (value := get("stream_options")) is not None else None
            limit = _int(value) if (value := get("max_completion_tokens")) is not None else None
            if limit is None and (value := get("max_tokens")) is not None:
                limit = _int(value)
            choices = 1 if (value := get("n")) is None else _int(value)
        except msgspec.MsgspecError:
            raise _wrong_kind(body) from None
        messages = get("messages")
        if not model:
            raise BadRequest("`model` is missing.", param="model", hint="GET /v1/models lists what is offered.")
        if messages is None or bytes(memoryview(messages)[:1]) != b"[":
            raise BadRequest("`messages` must be an array.", param="messages", hint="Send at least one message.")
        wants_usage = options is not None and options.include_usage is True
        if limit is not None:
            limit = min(limit, _MOST_TOKENS)
        needs, effort, session = _needs(body, raw), get("reasoning_effort"), get("prompt_cache_key")
        return Request(
            model,
            stream,
            wants_usage,
            limit,
            1 if choices is None else min(choices, _MOST_TOKENS),
            body,
            needs,
            None if effort is None else _text(effort),
            None if session is None else _text(session),
        )

    def messages(self, request: Request) -> list[Raw]:
        """The conversation so far, message by message, each as the bytes it came as."""
        return leniently(_list, request.body.get("messages") or b"[]")

    def last_words(self, request: Request) -> str:
        """The text of the last message whose role is `user`, all its text parts; empty if there is none."""
        for raw in reversed(self.messages(request)):
            try:
                message = leniently(_message, raw)
                if message.role == "user":
                    content = None if message.content is UNSET else leniently(_content, message.content)
                    return content if isinstance(content, str) else " ".join(part.text or "" for part in content or ())
            except _UNREADABLE:  # it is for the upstream to say what is wrong with it
                return ""
        return ""

    def prepare(self, request: Request, model: str) -> bytes:
        """The body for an upstream that calls the model so, asking for usage in any case."""
        changes: dict[str, bytes] = {}
        if model != request.model:
            changes["model"] = _dumps(model)
        if request.stream and not request.wants_usage:
            asked = request.body.get("stream_options")
            options = {} if asked is None or asked == _NULL else _members(asked)
            changes["stream_options"] = _dumps(options | {"include_usage": Raw(b"true")})
        return request.body.encode(changes)

    def read(self, answer: bytes) -> Reading:
        """What a whole answer says of itself; `Broken(MALFORMED)` if it is no answer of this dialect."""
        try:
            read = leniently(_answer, answer)
        except _UNREADABLE:
            raise Broken(Break.MALFORMED, "the answer is no chat completion") from None
        if read.choices:
            said = _said_of(read.usage)
            return Reading() if said is None else Reading(_usage_of(said), charged=_charged_of(said))
        if _is_given(read.error):
            return Reading(None, _status_of(read.error), answer)
        raise Broken(Break.MALFORMED, "the answer has no choices")

    def classify(self, event: bytes, data: bytes) -> Frame:  # noqa: ARG002 - chat events have no type
        """What this event of a stream is; `Broken(MALFORMED)` if it is none of this dialect."""
        if data.strip() == _DONE:
            return Frame(FrameKind.TERMINATOR)
        try:
            read = leniently(_chunk, data)
        except _UNREADABLE:
            raise Broken(Break.MALFORMED, "an event of the stream is not a chunk") from None
        if _is_given(read.error):
            return Frame(FrameKind.ERROR, Reading(None, _status_of(read.error), data))
        if read.object == _VLLM_ERROR:  # {"object":"error","message":…,"code":…} (https://github.com/vllm-project/vllm)
            return Frame(FrameKind.ERROR, Reading(None, _status_of(data), data))
        said = _said_of(read.usage)
        reading = None if said is None else Reading(_usage_of(said), charged=_charged_of(said))
        if not read.choices:
            return Frame(FrameKind.USAGE if _is_given(read.usage) else FrameKind.PREAMBLE, reading)
        # Ollama and others write "" where OpenAI writes null (https://github.com/ollama/ollama/issues/4357).
        is_final = any(choice.finish_reason for choice in read.choices)
        has_output = is_final or any(map(_says_something, read.choices))
        return Frame(FrameKind.OUTPUT if has_output else FrameKind.PREAMBLE, reading, is_final)

    def with_cost(self, data: bytes, cost: Msat) -> bytes:
        """The data of a usage event with `cost_msat` among the fields of the usage object."""
        try:
            chunk = _members(data)
            usage = _members(chunk["usage"]) | {"cost_msat": Raw(b"%d" % cost)}
        except _UNREADABLE:
            return data  # What is in it that can't be read can't be written either.
        return _dumps(chunk | {"usage": usage})

    def error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error answer, in OpenAI's shape, with the advice beside it."""
        return _dumps(
            {
                "error": {
                    "message": f"{error.message} {error.hint}",
                    "type": _type_of(error),
                    "param": error.param,
                    "code": error.code,
                    "satisfice": {"request_id": request_id, "source": error.source.value, "hint": error.hint},
                }
            }
        )

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """The event that ends a stream with an error."""
        return encode(self.error(error, request_id))


_NEEDS: Final = tuple(
    frozenset(
        ability
        for bit, ability in enumerate((Ability.TOOLS, Ability.VISION, Ability.JSON_SCHEMA, Ability.REASONING))
        if number >> bit & 1
    )
    for number in range(16)
)
"""Every set of abilities, made once: a call only picks one."""


_NEEDY: Final = frozenset(("tools", "functions", "response_format", "reasoning_effort", "reasoning"))
"""Keys that may stand for a need; most requests have none of them."""


def _needs(body: Body, raw: bytes) -> frozenset[Ability]:
    """What the request needs: by the keys it has, and for images by a type of part, which nobody writes by chance."""
    number = 2 if b'"image_url"' in raw else 0
    if body.lacks(_NEEDY):
        return _NEEDS[number]
    get = body.get
    tools = get("tools") or get("functions")
    if tools is not None and _is_given(tools):
        number |= 1
    shape = get("response_format")
    if shape is not None and _is_schema(shape):
        number |= 4
    effort = get("reasoning_effort") or get("reasoning")
    if effort is not None and _is_given(effort) and effort != _NONE:
        number |= 8
    return _NEEDS[number]


def _is_schema(shape: Raw) -> bool:
    try:
        read = _format(shape)
    except _UNREADABLE:
        return False
    return read is not None and read.type == "json_schema"


def _text(value: Raw) -> str | None:
    try:
        return _str(value)
    except _UNREADABLE:
        return None


_KINDS: Final = (
    ("model", _str, "a string"),
    ("stream", _bool, "true or false"),
    ("max_completion_tokens", _int, "a whole number"),
    ("max_tokens", _int, "a whole number"),
    ("n", _int, "a whole number"),
    ("stream_options", _stream_options, "an object with `include_usage` true or false"),
)


def _wrong_kind(body: Body) -> BadRequest:
    """Which key it was: looked up only when something is wrong."""
    key, wanted = next((key, wanted) for key, decode, wanted in _KINDS if not _is_readable(body.get(key), decode))
    return BadRequest(f"`{key}` must be {wanted}.", param=key)


def _is_readable(value: Raw | None, decode: Callable[[Raw], object]) -> bool:
    try:
        if value is not None:
            decode(value)
    except msgspec.MsgspecError:
        return False
    return True


def _is_given(value: Raw | UnsetType) -> TypeGuard[Raw]:
    """It is there, and neither null nor empty; a long value is not copied to find out."""
    return value is not UNSET and (len(value) > 4 or bytes(value) not in _EMPTY)


def _says_something(choice: _Choice) -> bool:
    delta = choice.delta or {}
    return any(key != "role" and _is_given(value) for key, value in delta.items())


def _said_of(raw: Raw | UnsetType) -> _Usage | None:
    """None if counts are missing or no numbers: that is no usage at all."""
    try:
        return None if raw is UNSET else _usage(raw)
    except msgspec.MsgspecError:
        return None


def _charged_of(said: _Usage) -> Msat | None:
    """A gateway like us says it as we do, a node of Routstr in an object; OpenRouter's number is of dollars."""
    try:
        if said.cost_msat is not UNSET:
            return Msat(_amount(said.cost_msat))
        return None if said.cost is UNSET else Msat(_cost(said.cost).total_msats)
    except msgspec.MsgspecError:
        return None


def _usage_of(said: _Usage) -> Usage | None:
    """Disjoint buckets from inclusive totals; counts that contradict each other or all sense are none."""
    cached = (said.prompt_tokens_details and said.prompt_tokens_details.cached_tokens) or 0
    written = (said.prompt_tokens_details and said.prompt_tokens_details.cache_write_tokens) or 0
    reasoning = (said.completion_tokens_details and said.completion_tokens_details.reasoning_tokens) or 0
    uncached, text = said.prompt_tokens - cached - written, said.completion_tokens - reasoning
    # OpenAI counts reasoning as completion; xAI and Gemini count it in the total alone
    # (https://docs.x.ai/docs/key-information/consumption-and-rate-limits).
    beyond = (said.total_tokens or 0) - said.prompt_tokens - said.completion_tokens
    if beyond > 0 <= reasoning:
        reasoning = max(reasoning, beyond)
        text = said.completion_tokens + beyond - reasoning
    buckets = uncached, text, cached, written, reasoning
    if min(buckets) < 0 or max(buckets) > _MOST_TOKENS:
        return None
    return Usage(uncached=uncached, cache_read=cached, cache_write=written, text=text, reasoning=reasoning)


def _status_of(raw: Raw | bytes) -> int:
    """OpenRouter and others put the status they mean into `error.code` of an answer with status 200."""
    try:
        code = str(_error(raw).code)
    except _UNREADABLE:
        return 502
    return int(code) if _ERROR_STATUS.fullmatch(code) else 502


def _type_of(error: GatewayError) -> str:
    """OpenAI's `type`, by which SDKs and people tell errors apart (https://platform.openai.com/docs/guides/error-codes)."""
    match error:
        case BadKey():
            return "authentication_error"
        case UpstreamBusy():
            return "rate_limit_error"
        case UpstreamUnfunded():
            return "insufficient_quota"
        case CallerError():
            return "invalid_request_error"
        case _:
            return "server_error"
