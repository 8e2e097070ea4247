"""A real upstream on loopback: it records what it is asked and answers as a test wants, down to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

__all__ = [
    "DONE",
    "END",
    "STREAM",
    "USAGE",
    "Asked",
    "Play",
    "Upstream",
    "answer",
    "chunk",
    "event",
    "piece",
    "say",
    "whole",
]

STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
"""The head of a stream."""
END = b"0\r\n\r\n"
"""The end of a chunked body."""
USAGE: Mapping[str, int] = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
"""What an answer is said to have used."""

_PATIENCE = 20.0


class Asked(NamedTuple):
    """One request that came."""

    line: str
    """Method, path and version."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test knows what it asked
        """The body, read."""
        return json.loads(self.body)

    async def send(self, *pieces: bytes) -> None:
        """Say this, piece by piece."""
        for each in pieces:
            self.writer.write(each)
            await self.writer.drain()

    async def left(self) -> None:
        """Return when the gateway has closed the connection."""
        async with asyncio.timeout(_PATIENCE):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65_536):
                    pass


Play = Callable[[Asked], Awaitable[None]]


class Upstream:
    """Answers every request with its `play`: `async with Upstream() as upstream`."""

    def __init__(self) -> None:
        """Not listening yet."""
        self.play: Play = answer
        self.asked: list[Asked] = []
        """The requests so far, oldest first."""
        self.failures: list[Exception] = []
        """What went wrong in the plays themselves."""
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base address for the gateway's configuration."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await _request(reader, writer)
                self.asked.append(asked)
                await self.play(asked)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway has closed the connection
        except Exception as error:
            self.failures.append(error)
        finally:
            writer.transport.abort()


async def answer(asked: Asked) -> None:
    """Answer as a model would, streamed or not."""
    if not asked.json.get("stream"):
        await asked.send(whole("Hello you"))
        return
    await asked.send(STREAM, piece(chunk({"role": "assistant", "content": ""})), *say("Hello", " you"))
    await asked.send(piece(chunk({}, finish="stop")), piece(chunk(usage=USAGE)), piece(DONE), END)


def whole(text: str) -> bytes:
    """An answer that isn't streamed."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps(_NAMES | {"object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def say(*words: str) -> list[bytes]:
    """A piece for each word."""
    return [piece(chunk({"content": word})) for word in words]


def chunk(
    delta: Mapping[str, object] | None = None, *, finish: str | None = None, usage: Mapping[str, int] | None = None
) -> bytes:
    """The event of a chunk; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    said = _NAMES | {"object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return event(json.dumps(said, ensure_ascii=False))


def event(data: str) -> bytes:
    """A server-sent event."""
    return f"data: {data}\n\n".encode()


def piece(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


DONE = event("[DONE]")
"""The terminator of a chat stream."""

_NAMES = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "upstream-small"}


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(line, headers, body, reader, writer)
