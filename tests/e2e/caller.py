"""A caller who speaks HTTP by hand, since what a client library hides is what is asked about here."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple, Self

from tests.e2e.gateway import Gateway

__all__ = ["CHAT", "Answer", "Caller", "ask", "get", "post", "question"]

_PATIENCE = 20.0
CHAT = "/v1/chat/completions"


class Answer(NamedTuple):
    """An answer as it came."""

    line: str
    """Version, status and reason."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.line.split(" ")[1])

    @property
    def json(self) -> Any:  # noqa: ANN401 - a test knows what it asked
        """The body, read."""
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        """The data of the stream's events."""
        assert self.body.endswith(b"\n\n")
        events = self.body.decode().removesuffix("\n\n").split("\n\n")
        assert all(each.startswith("data: ") for each in events)
        return [each.removeprefix("data: ") for each in events]

    @property
    def chunks(self) -> list[Any]:
        """The stream's events, read, without the terminator."""
        return [json.loads(data) for data in self.events if data != "[DONE]"]

    @property
    def text(self) -> str:
        """What the first choice of a stream says."""
        deltas = (choice["delta"] for chunk in self.chunks for choice in chunk.get("choices", ()))
        return "".join(delta.get("content") or "" for delta in deltas)


class Caller:
    """A connection to the gateway: `async with Caller(gateway) as caller`."""

    def __init__(self, gateway: Gateway, *, window: int | None = None) -> None:
        """Not connected yet; `window` bounds what the system reads ahead for a caller who doesn't."""
        self._port = gateway.port
        self._window = window

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        if self._window is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        try:
            await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
        except BaseException:
            self._socket.close()
            raise
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def send(self, *pieces: bytes) -> None:
        """Say this, piece by piece."""
        async with asyncio.timeout(_PATIENCE):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()

    async def answer(self, *, to: str = "GET") -> Answer:
        """The next answer, whole; one to HEAD has no body."""
        answer = await self.head()
        if to == "HEAD":
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            return answer._replace(body=b"".join([each async for each in self.pieces()]))
        if (length := answer.headers.get("content-length")) is not None:
            return answer._replace(body=await self._exactly(int(length)))
        return answer._replace(body=b"".join([each async for each in self.rest()]))

    async def read(self) -> bytes:
        """What the next read of the socket brings; empty at the end of the connection."""
        async with asyncio.timeout(_PATIENCE):
            return await self._reader.read(1 << 20)

    async def head(self) -> Answer:
        """The head of the next answer."""
        async with asyncio.timeout(_PATIENCE):
            read = await self._reader.readuntil(b"\r\n\r\n")
        line, *fields = read.decode("latin-1").split("\r\n")[:-2]
        return Answer(line, {name: value for name, _, value in (field.partition(": ") for field in fields)}, b"")

    async def piece(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        async with asyncio.timeout(_PATIENCE):
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            return (await self._reader.readexactly(size + 2))[:-2]

    async def pieces(self) -> AsyncIterator[bytes]:
        """The chunks of a chunked body, to its end."""
        while data := await self.piece():
            yield data

    async def rest(self) -> AsyncIterator[bytes]:
        """All that comes until the gateway closes the connection."""
        while data := await self.read():
            yield data

    async def _exactly(self, size: int) -> bytes:
        async with asyncio.timeout(_PATIENCE):
            return await self._reader.readexactly(size)


async def ask(gateway: Gateway, request: bytes) -> Answer:
    """The answer to one request on a connection of its own."""
    async with Caller(gateway) as caller:
        await caller.send(request)
        return await caller.answer()


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    """A request without a body; `fields` such as `connection: close`."""
    return _head(method, path, fields)


def post(body: object, *fields: str, path: str = CHAT) -> bytes:
    """A request with a body: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _head("POST", path, (*fields, f"content-length: {len(data)}")) + data


def question(**extra: object) -> dict[str, object]:
    """A chat request to the model `small`, with more keys or other values."""
    return {"model": "small", "messages": [{"role": "user", "content": "Hi"}], **extra}


def _head(method: str, path: str, fields: Iterable[str]) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "host: gateway", *fields, "", "")).encode("latin-1")
