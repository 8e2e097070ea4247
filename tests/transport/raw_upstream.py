"""A real server on loopback that says exactly the bytes a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

from satisfice.ports import Endpoint, Sending, Timeouts

if TYPE_CHECKING:
    import ssl

    from satisfice.core.secrets import Secret

__all__ = ["OK", "SENDING", "Peer", "Play", "RawUpstream", "an_endpoint", "answering"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
"""The shortest answer with a body."""
SENDING = Sending("/chat/completions", b'{"model":"m"}')
"""The shortest request with a body."""


class Peer:
    """One connection that the server has accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tls = writer.get_extra_info("ssl_object")
        self.over = asyncio.Event()
        """Set when its play has ended, at the latest because the client has left."""

    async def head(self) -> bytes:
        """The head of the next request."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """The whole next request."""
        head = await self.head()
        _, found, rest = head.partition(b"\r\nContent-Length: ")
        return head + await self._reader.readexactly(int(rest.split(b"\r\n")[0]) if found else 0)

    async def send(self, *pieces: bytes) -> None:
        """Say this, piece by piece."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def left(self) -> None:
        """Return when the client has closed the connection, whatever it still sends."""
        while await self._reader.read(65536):
            pass

    def protocol(self) -> str | None:
        """What TLS has agreed on."""
        chosen: str | None = self._tls.selected_alpn_protocol()
        return chosen

    def is_resumed(self) -> bool:
        """Whether TLS went on from an earlier session."""
        return bool(self._tls.session_reused)

    def reset(self) -> None:
        """Close without a good-bye."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if not self._writer.transport.is_closing():
            self._writer.transport.abort()

    async def close(self) -> None:
        """Send what is left and close."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Play = Callable[[Peer], Awaitable[None]]


def answering(*pieces: bytes) -> Play:
    """Gives the same answer to each request, until the client leaves."""

    async def play(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return play


class RawUpstream:
    """Plays the same for each connection: `async with RawUpstream(answering(OK)) as upstream`."""

    def __init__(
        self, play: Play, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._play = play
        self._tls = tls
        self.host = host
        self.port = port
        self.peers: list[Peer] = []
        self._accepted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def over(self, number: int = 0) -> None:
        """Return when the play with this client, counted from 0, has ended."""
        while len(self.peers) <= number:
            self._accepted.clear()
            await self._accepted.wait()
        await self.peers[number].over.wait()

    @property
    def url(self) -> str:
        """The address to put into an endpoint."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for peer in self.peers:
            peer.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(Peer(reader, writer))
        self._accepted.set()
        task = asyncio.get_running_loop().create_task(self._serve(self.peers[-1]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._play(peer)
        peer.over.set()
        await peer.close()


def an_endpoint(
    upstream: RawUpstream | str,
    *,
    timeouts: Timeouts | None = None,
    key: Secret | None = None,
    proxy: Secret | None = None,
    ca_file: str | None = None,
) -> Endpoint:
    """An endpoint at this server or address."""
    url = upstream if isinstance(upstream, str) else upstream.url
    return Endpoint(provider="test", url=url, key=key, timeouts=timeouts or Timeouts(), proxy=proxy, ca_file=ca_file)
