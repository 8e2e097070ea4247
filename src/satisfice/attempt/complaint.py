"""What an error body complains of: in words for people, and whether the prompt is too long or an ability is missing.

Providers have no common code for either, so their sentences are known by heart;
tests/corpus/errors has them, and where they come from. A sentence is believed
only if it leaves no doubt: a request that is wrong everywhere must not be tried
everywhere, nor may callers teach us untruths by what an error quotes of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from satisfice.wire.request import Ability

__all__ = ["Complaint", "read_complaint"]

_Value = TypeVar("_Value")


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """What an error body says."""

    message: str | None = None
    """In words, not too many of them."""
    code: str | None = None
    """In the provider's own terms."""
    is_too_long: bool = False
    """The prompt, or the prompt and the answer asked for together, does not fit into the window there."""
    context: int | None = None
    """How many tokens the window has, or its part for prompts if only that is told."""
    is_beyond: bool = False
    """The call needs something that can't be had there."""
    lacks: Ability | None = None
    """What that is, if it is one of those we know."""


class _Said(msgspec.Struct):
    message: str | None = None
    code: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET
    param: Raw | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    n_ctx: Raw | UnsetType = UNSET


class _Body(msgspec.Struct):
    error: _Said | str | None = None
    message: str | None = None
    detail: str | None = None


class _Metadata(msgspec.Struct):
    raw: str | None = None


_body = msgspec.json.Decoder(_Body | list[_Body]).decode
_metadata = msgspec.json.Decoder(_Metadata).decode
_str = msgspec.json.Decoder(str).decode
_tokens = msgspec.json.Decoder(Annotated[int, msgspec.Meta(gt=0)]).decode

_NOTHING: Final = Complaint()
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_LONGEST_SAID: Final = 300
_LONGEST_READ: Final = 1_000

_N: Final = r"(\d[\d,]{2,11})"
_ANY: Final = r"\d[\d,]*"
_TOO_LONG: Final = re.compile(
    "|".join(
        (
            # OpenAI, vLLM, DeepSeek, OpenRouter, LiteLLM, Ollama's cloud
            rf"maximum context length(?: is| of|:) {_N}",
            r"maximum context length has been exceeded|prompt exceeds maximum context length",
            r"input exceeds the context window",
            rf"input tokens exceed the configured limit of {_N}",
            # Groq, Cerebras
            rf"reduce the length of the messages(?: or completion\. current length is {_ANY} while limit is {_N})?",
            # Anthropic, Bedrock, Vertex
            rf"prompt is too long: {_ANY} tokens > {_N} maximum|^prompt is too long\W*$",
            rf"exceed context limit: {_ANY} \+ {_ANY} > {_N}",
            r"input is too long for (?:the )?requested model",
            # Gemini, xAI, Mistral, Moonshot, Alibaba, MiniMax (whose number is a code), Cohere, GitHub
            rf"input token count(?: \({_ANY}\))? exceeds the maximum number of tokens allowed \(?{_N}",
            rf"maximum prompt length is {_N} but the request contains",
            rf"too large for model with {_N} maximum context length",
            rf"exceeded model token limit: {_N}",
            rf"range of input length should be \[\d+, {_N}\]",
            r"context window exceeds limit",
            rf"number of tokens in the prompt cannot exceed {_N}",
            rf"prompt token count of {_ANY} exceeds the limit of {_N}",
            # llama.cpp, LM Studio, Ollama, MLX
            rf"exceeds the available context size(?: \({_N} tokens\))?",
            rf"greater than the context length(?: \(n_keep: {_ANY}\s*>= n_ctx: {_N}\))?",
            rf"n_keep \({_ANY}\) >= n_ctx \({_N}\)",
            rf"loaded with context length of only {_N} tokens",
            r"prompt too long; exceeded (?:max )?context length",
            rf"exceeds max context window of {_N} tokens",
            # vLLM of old, SGLang, Together, Text Generation Inference
            rf"longer than the maximum model length of {_N}",
            rf"too long to fit into the model \(context length {_N}\)",
            rf"\({_ANY} tokens\) is longer than the model's context length \({_N} tokens\)",
            rf"exceeds the maximum allowed (?:input )?length (?:of |\(){_N} tokens",
            rf"`inputs` tokens \+ `max_new_tokens` must be <= {_N}",
            rf"`inputs` must have less than {_N} tokens",
        )
    ),
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
_TOO_LONG_CODES: Final = frozenset(("context_length_exceeded", "exceed_context_size_error"))


def _lacking(what: str, *others: str) -> re.Pattern[str]:
    """The sentences that say that a model can't do this, and others that say it in their own way."""
    quoted = rf"(?<![.\w])[\"'`]?(?:{what})[\"'`]?"
    this_model = r" (?:with|for|by|in|on) (?:(?:this|the|that)(?: \w+)? )?(?:model|endpoint)s?\b"
    is_not = r" (?:is|are) (?:not (?:supported|enabled|available)|unsupported|unavailable)"
    return re.compile(
        "|".join(
            (
                # The end must follow: "does not support tools with streaming" is about the call.
                rf"\bdoes(?: not|n't) support (?:parameters?:? )?[\[{{]?{quoted}(?=\W*$|[\].,;:]| \(| but\b)",
                rf"{quoted}(?: modality)?{is_not}(?=\W*$|[.;]| - hint| now\b|{this_model})",
                rf"\bno endpoints found that support (?:{what})\b",
                *others,
            )
        ),
        re.ASCII | re.IGNORECASE | re.MULTILINE,
    )


_LACKS: Final = (
    (
        Ability.TOOLS,
        _lacking(
            r"tools|functions|(?:tool|function)s?[ _-](?:use|calls?|calling)",
            r"requires --(?:enable-auto-tool-choice|tool-call-parser)\b",  # vLLM
            r"\btools param requires --jinja\b",  # llama.cpp
            r"unrecognized request arguments? supplied: (?:tools|functions)\b",  # Azure
        ),
    ),
    (
        Ability.VISION,
        _lacking(
            r"image_url|input_image|images?(?: inputs?| content)?|vision|multi-?modal(?: inputs?)?",
            r"\bimage_url is only supported by certain models",  # OpenAI
            r"unknown variant `?image_url`?, expected `?text\b",  # DeepSeek
            r"is not a multimodal model|\bat most 0 image",  # vLLM
            r"missing data required for image input",  # Ollama
        ),
    ),
    (
        Ability.JSON_SCHEMA,
        _lacking(
            r"(?:response[ _]format )?[\"'`]?json_schema[\"'`]?(?: response[ _]format)?|structured outputs?",
            r"\bthis response_format type is unavailable",  # DeepSeek
            r"response_format\.type\W{1,4}value is not one of the allowed values",  # Groq
        ),
    ),
    (
        Ability.REASONING,
        _lacking(
            r"reasoning(?:[ _.]?effort)?|thinking(?: (?:budget|level))?",
            r"unrecognized request arguments? supplied: reasoning_effort\b",  # Azure
        ),
    ),
)
_PARAMETERS: Final[Mapping[str, Ability]] = {
    "tools": Ability.TOOLS,
    "functions": Ability.TOOLS,
    "reasoning_effort": Ability.REASONING,
}
_BEYOND: Final = re.compile(r"\bno endpoints found that (?:support|can handle)\b", re.IGNORECASE)  # OpenRouter
_QUOTES: Final = re.compile(
    r"""input_value|['"]input['"]:|\bvalidation errors? for\b|\brequest body was\b""", re.IGNORECASE
)


def read_complaint(body: bytes) -> Complaint:
    """What an error body of any of the usual shapes says; nothing, if it is none."""
    try:
        read = _body(body)
    except _UNREADABLE:
        return _NOTHING
    if isinstance(read, list):  # Gemini's way
        read = read[0] if read else _Body()
    error = _Said(read.error) if isinstance(read.error, str) else read.error or _Said()
    message = error.message or read.message or read.detail
    code = _value(error.code, _str)
    said = "\n".join(_unquoted(text) for text in (message, _wrapped(error)) if text)
    found = _TOO_LONG.search(said)
    is_too_long = found is not None or not _TOO_LONG_CODES.isdisjoint((code, _value(error.type, _str)))
    lacks = None if is_too_long else _lack(said) or _unsupported(error, code)
    return Complaint(
        message[:_LONGEST_SAID] if message else None,
        code,
        is_too_long,
        _size(error, found) if is_too_long else None,
        lacks is not None or (not is_too_long and _BEYOND.search(said) is not None),
        lacks,
    )


def _unquoted(text: str) -> str:
    """Validators repeat what they complain of; what stands behind that is the caller's, and proves nothing."""
    return _QUOTES.split(text[:_LONGEST_READ], maxsplit=1)[0]


def _wrapped(error: _Said) -> str | None:
    """What OpenRouter heard from the provider behind it (https://openrouter.ai/docs/api-reference/errors)."""
    metadata = _value(error.metadata, _metadata)
    return None if metadata is None else metadata.raw


def _size(error: _Said, found: re.Match[str] | None) -> int | None:
    told = _value(error.n_ctx, _tokens)  # llama.cpp
    if told is not None or found is None or found.lastindex is None:
        return told
    return int(found[found.lastindex].replace(",", ""))


def _lack(said: str) -> Ability | None:
    return next((ability for ability, pattern in _LACKS if pattern.search(said)), None)


def _unsupported(error: _Said, code: str | None) -> Ability | None:
    """OpenAI names the parameter that the model does not know."""
    return _PARAMETERS.get(_value(error.param, _str) or "") if code == "unsupported_parameter" else None


def _value(raw: Raw | UnsetType, decode: Callable[[Raw], _Value]) -> _Value | None:
    """None if it isn't there, or something else than was looked for."""
    try:
        return None if raw is UNSET else decode(raw)
    except _UNREADABLE:
        return None
