"""Two small real proxies on loopback: HTTP with CONNECT, and SOCKS5 with a password."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from abc import ABC, abstractmethod
from typing import Self

__all__ = ["HTTPProxy", "SocksProxy"]


class _Proxy(ABC):
    """Accepts, finds out where to, and from then on only passes bytes on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Where it was asked to connect to."""
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @abstractmethod
    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        """Where to, or None if it refuses."""

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            there = await self._greet(reader, writer)
            if there is None:
                await writer.drain()
                return
            far_reader, far_writer = await asyncio.open_connection(*there)
            with contextlib.closing(far_writer):
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pass_on(reader, far_writer))
                    tasks.create_task(_pass_on(far_reader, writer))


class HTTPProxy(_Proxy):
    """Replies to CONNECT with exactly these pieces; passes on if they begin with a 2xx status."""

    def __init__(self, *reply: bytes) -> None:
        super().__init__()
        self._reply = reply or (b"HTTP/1.1 200 Connection established\r\n\r\n",)
        self.fields: list[bytes] = []

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        line, *self.fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        self.asked.append(line.decode())
        for piece in self._reply:
            writer.write(piece)
            await writer.drain()
        if not self._reply[0].startswith(b"HTTP/1.1 2"):
            return None
        host, port = line.split()[1].decode().rsplit(":", 1)
        return host.strip("[]"), int(port)


class SocksProxy(_Proxy):
    """SOCKS5 (RFC 1928); asks for this user and password (RFC 1929) if there are any, and may refuse to connect."""

    def __init__(self, *, login: tuple[bytes, bytes] | None = None, reply: int = 0) -> None:
        super().__init__()
        self._login = login
        self._reply = reply

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if self._login else 0
        if method not in methods:
            writer.write(b"\5\xff")
            return None
        writer.write(bytes([5, method]))
        if self._login and not await self._is_welcome(reader, writer):
            return None
        _, _, _, kind = await reader.readexactly(4)
        match kind:
            case 1:
                host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
            case 4:
                host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
            case _:
                host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        writer.write(bytes([5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        return None if self._reply else (host, port)

    async def _is_welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, size = await reader.readexactly(2)
        user = await reader.readexactly(size)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        is_welcome = self._login == (user, password)
        writer.write(bytes([1, not is_welcome]))
        return is_welcome


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
