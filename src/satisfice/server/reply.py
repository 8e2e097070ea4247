"""Whole answers of the gateway's own, in JSON or plain text."""

from __future__ import annotations

import msgspec

from satisfice.server.downstream import ASGIDownstream

__all__ = ["reply_json", "reply_text"]

_encode = msgspec.json.Encoder().encode


async def reply_json(downstream: ASGIDownstream, value: object, *, status: int = 200) -> None:
    """Answer with a value as JSON."""
    await _reply(downstream, _encode(value), kind=b"application/json", status=status)


async def reply_text(downstream: ASGIDownstream, text: bytes) -> None:
    """Answer with text in UTF-8."""
    await _reply(downstream, text, kind=b"text/plain; charset=utf-8", status=200)


async def _reply(downstream: ASGIDownstream, body: bytes, *, kind: bytes, status: int) -> None:
    downstream.start(status, [(b"content-type", kind), (b"content-length", b"%d" % len(body))])
    downstream.end(body)
    await downstream.drain()
