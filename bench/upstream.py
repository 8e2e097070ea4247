"""A mock provider that costs a few microseconds a call, so that what is measured is what stands before it.

    python -m bench.upstream [--certificate PEM]

listens on three free ports, with a certificate on three more with TLS, and prints them as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import ssl
from typing import NamedTuple, cast

import msgspec
import uvloop

from bench.http1 import message_end
from bench.mock import NOT_FOUND, READY, STREAM_HEAD, Behaviour, behaviour, content_chunk

__all__ = ["Ports", "main"]

_SERVERS = 3
_MODEL = re.compile(rb'"model": ?"([^"]*)"')
_STREAMED = re.compile(rb'"stream": ?true')


class Ports(NamedTuple):
    """Where the mock listens."""

    plain: tuple[int, ...]
    tls: tuple[int, ...]


class _Connection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._serve()

    def _serve(self) -> None:
        while not self._busy and (end := message_end(self._buffer)):
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            self._call(message)

    def _call(self, message: bytes) -> None:
        if message.startswith(b"GET"):
            self._transport.write(READY if message.startswith(b"GET /ready ") else NOT_FOUND)
            return
        model = _MODEL.search(message)
        asked = behaviour(model[1] if model else b"mock")
        begin = self._stream if _STREAMED.search(message) else self._answer
        if asked.latency_s:
            self._busy = True
            self._timer = self._loop.call_later(asked.latency_s, begin, asked)
        else:
            begin(asked)

    def _answer(self, asked: Behaviour) -> None:
        self._finish(asked.answer)

    def _stream(self, asked: Behaviour) -> None:
        if asked.delay_s:
            self._busy = True
            self._next = self._loop.time()
            self._transport.write(STREAM_HEAD)
            self._tick(asked, asked.chunks)
        else:
            chunks = b"".join([content_chunk() for _ in range(asked.chunks)])
            self._finish(STREAM_HEAD + chunks + asked.stream_end)

    def _tick(self, asked: Behaviour, left: int) -> None:
        self._transport.write(content_chunk())
        if left > 1:
            # From the time it was due, so that a late tick doesn't lower the rate.
            self._next += asked.delay_s
            self._timer = self._loop.call_at(self._next, self._tick, asked, left - 1)
        else:
            self._finish(asked.stream_end)

    def _finish(self, last: bytes) -> None:
        self._timer = None
        self._transport.write(last)
        if self._busy:
            self._busy = False
            self._serve()


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.upstream")
    parser.add_argument("--certificate", help="PEM file with the key and the chain of the TLS ports")
    uvloop.run(_listen(parser.parse_args().certificate))


async def _listen(certificate: str | None) -> None:
    plain = [await _server(None) for _ in range(_SERVERS)]
    tls = [await _server(_context(certificate)) for _ in range(_SERVERS)] if certificate else []
    gc.collect()
    gc.freeze()
    gc.disable()
    ports = Ports(tuple(map(_port, plain)), tuple(map(_port, tls)))
    print(msgspec.json.encode(ports).decode(), flush=True)
    await asyncio.Event().wait()


async def _server(context: ssl.SSLContext | None) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(loop), "127.0.0.1", 0, backlog=4096, ssl=context)


def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


if __name__ == "__main__":
    main()
