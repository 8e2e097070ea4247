"""What the mock upstream says.

The model's name chooses, so any gateway can ask for any behaviour without a header of ours:
`mock[-l<ms>][-n<chunks>][-d<ms>][-b<bytes>]`, where

* l is the time before the answer begins (0),
* n is the number of content chunks of a stream (100),
* d is the time between two of them (0: the stream is written at once),
* b is the size of the JSON of an unstreamed answer (1000).
"""

from __future__ import annotations

import re
import time
from functools import cache
from typing import NamedTuple

__all__ = ["NOT_FOUND", "READY", "STREAM_HEAD", "Behaviour", "behaviour", "content_chunk"]

_FIELD = re.compile(rb"-([lndb])(\d+)")

READY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

_ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nopenai-processing-ms: 12\r\n"
    b"x-request-id: req_b3f1c92d7a6e4508\r\nContent-Length: %d\r\n\r\n"
)
_USAGE = (
    b'{"prompt_tokens":210,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,'
    b'"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)
_ANSWER_START = (
    b'{"id":"chatcmpl-C7kQ2mVx0aZr8uYw4sTn6bLd","object":"chat.completion","created":1760000000,"model":"mock",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"'
)
_ANSWER_END = (
    b'","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":%b,'
    b'"service_tier":"default","system_fingerprint":"fp_5d1c7e90ab"}'
)

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    b"x-request-id: req_b3f1c92d7a6e4508\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_EVENT_START = (
    b'data: {"id":"chatcmpl-C7kQ2mVx0aZr8uYw4sTn6bLd","object":"chat.completion.chunk","created":1760000000,'
    b'"model":"mock","service_tier":"default","system_fingerprint":"fp_5d1c7e90ab","choices":'
)
_CHOICE = b'[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]'
# "@" and sixteen digits of the monotonic clock: the load, on the same machine, reads the age of each chunk from them.
_STAMP = b'{"content":"@%016d and so"}'


class Behaviour(NamedTuple):
    """One model of the mock: its pace, and its answers as ready bytes."""

    latency_s: float
    chunks: int
    delay_s: float
    answer: bytes
    stream_end: bytes


@cache
def behaviour(model: bytes) -> Behaviour:
    """What this model name asks for."""
    fields = {key: int(value) for key, value in _FIELD.findall(model)}
    chunks = fields.get(b"n", 100)
    return Behaviour(
        latency_s=fields.get(b"l", 0) / 1000,
        chunks=chunks,
        delay_s=fields.get(b"d", 0) / 1000,
        answer=_answer(fields.get(b"b", 1000)),
        stream_end=_stream_end(chunks),
    )


def content_chunk() -> bytes:
    """One content event with the time of this moment in it, framed as an HTTP chunk."""
    return _CONTENT_START + b"%016d" % time.monotonic_ns() + _CONTENT_END


def _answer(size: int) -> bytes:
    end = _ANSWER_END % (_USAGE % (10, 220))
    text = b"All happy families are alike. " * (size // 30 + 1)
    body = _ANSWER_START + text[: max(0, size - len(_ANSWER_START) - len(end))] + end
    return _ANSWER_HEAD % len(body) + body


def _stream_end(chunks: int) -> bytes:
    stop = _event(_CHOICE % (b"{}", b'"stop"'), b"null")
    usage = _event(b"[]", _USAGE % (chunks, chunks + 210))
    return stop + usage + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _event(choices: bytes, usage: bytes) -> bytes:
    return _framed(_EVENT_START + choices + b',"usage":' + usage + b"}\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = _STREAM_HEAD + _event(_CHOICE % (b'{"role":"assistant","content":"","refusal":null}', b"null"), b"null")

_CONTENT = _event(_CHOICE % (_STAMP % 0, b"null"), b"null")
_CONTENT_START, _, _CONTENT_END = _CONTENT.partition(b"0" * 16)
