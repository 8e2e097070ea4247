"""The same request by both ways: through the application as an ASGI server would, and over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import httptools
import msgspec
import uvicorn

from satisfice.core.clock import ManualClock
from satisfice.core.secrets import Secret
from satisfice.server.access import Access
from satisfice.server.app import App
from satisfice.server.protocol import CallerProtocol
from satisfice.transport.scripted import ScriptedTransport, Sleep
from tests.engine.stage import Stage

if TYPE_CHECKING:
    from satisfice.catalog.offers import Offer
    from satisfice.engine.gateway import Gateway
    from satisfice.routing.policy import Policies
    from satisfice.server.downstream import Message
    from satisfice.transport.script import Script

__all__ = [
    "ASGIFront",
    "Front",
    "Host",
    "Peer",
    "Reply",
    "SocketFront",
    "a_stage",
    "an_app",
    "config_for",
    "for_ever",
    "into_a_bug",
    "replies_in",
    "request",
]

Fields = Iterable[tuple[str, str]]


async def for_ever(seconds: float) -> None:
    """What would take time never comes."""
    if seconds > 0:
        await asyncio.Event().wait()
    await asyncio.sleep(0)


async def into_a_bug(seconds: float) -> None:
    """What would take time runs into a bug."""
    if seconds > 0:
        raise RuntimeError("a bug")
    await asyncio.sleep(0)


def a_stage(
    scripts: Mapping[str, Script | Sequence[Script]],
    *,
    offers: Sequence[Offer] | None = None,
    policies: Policies | None = None,
    sleep: Sleep = for_ever,
) -> Stage:
    """A gateway on a clock that stands still."""
    clock = ManualClock()
    transport = ScriptedTransport(scripts, clock, sleep=sleep)
    stage = Stage(scripts, clock, offers=offers, transport=transport)
    return stage if policies is None else stage.under(policies)


def an_app(
    gateway: Gateway, *, token: str | None = None, keys: Mapping[str, str] | None = None, max_body: int = 1 << 20
) -> App:
    """Open to everybody, with a limit of one MiB; `keys` are of callers, by name."""
    named = {name: Secret(key) for name, key in (keys or {}).items()}
    return App(gateway, access=Access(None if token is None else Secret(token), named), max_body=max_body)


class Reply(NamedTuple):
    """What a caller got."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    is_whole: bool
    """It came to its end, and was not cut."""

    def header(self, name: str) -> str | None:
        """The value of the only field of this name."""
        found = [value.decode() for key, value in self.headers if key.lower() == name.encode()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    @property
    def json(self) -> dict[str, object]:
        """The body."""
        return msgspec.json.decode(self.body, type=dict[str, object])

    @property
    def error(self) -> dict[str, object]:
        """What the body has under `error`."""
        return msgspec.json.decode(self.body, type=dict[str, dict[str, object]])["error"]


class Front(Protocol):
    """A way to ask."""

    async def ask(
        self, method: str, path: str, *, headers: Fields = (), body: bytes = b"", pieces: Sequence[bytes] | None = None
    ) -> Reply:
        """Send a request with a body of known length, or one of pieces; give back what came."""
        ...


class ASGIFront:
    """Does what an ASGI server does."""

    def __init__(self, app: App, *, is_slow: bool = False) -> None:
        """Asks this application; a slow one takes what is sent to it a moment later."""
        self._app = app
        self._is_slow = is_slow

    async def ask(
        self, method: str, path: str, *, headers: Fields = (), body: bytes = b"", pieces: Sequence[bytes] | None = None
    ) -> Reply:
        length = [] if pieces is not None else [(b"content-length", b"%d" % len(body))]
        came = [b"", *pieces, b""] if pieces is not None else [body]
        inbox: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": number < len(came)}
            for number, piece in enumerate(came, 1)
        ]
        outbox: list[Message] = []

        async def receive() -> Message:
            if inbox:
                return inbox.pop(0)
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if self._is_slow:
                await asyncio.sleep(0)
            outbox.append(message)

        path, _, query = path.partition("?")
        scope: Message = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers] + length,
        }
        await self._app(scope, receive, send)
        return _reply(outbox, is_head=method == "HEAD")


def _reply(messages: Sequence[Message], *, is_head: bool) -> Reply:
    start, *rest = messages
    assert "http.response.start" == start["type"]
    assert {"http.response.body"} >= {message["type"] for message in rest}
    assert not any(not message.get("more_body", False) for message in rest[:-1]), "nothing follows the end"
    body = b"" if is_head else b"".join(message.get("body", b"") for message in rest)
    is_whole = bool(rest) and not rest[-1].get("more_body", False)
    return Reply(start["status"], list(start["headers"]), body, is_whole)


def config_for(app: App, *, timeout_keep_alive: float = 75) -> uvicorn.Config:
    """As `serve` has it."""
    config = uvicorn.Config(
        app,
        http=CallerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("x-of-the-server", "1")],
    )
    config.timeout_keep_alive = timeout_keep_alive  # type: ignore[assignment]  # a part of a second, in tests
    return config


class Host(uvicorn.Server):
    """uvicorn's server, up on a free port of this machine as long as its context lasts."""

    port = 0

    async def __aenter__(self) -> Self:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        await self.startup([listener])
        await self.on_tick(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            assert isinstance(connection, CallerProtocol)
            connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=5.0)
        assert not self.server_state.tasks, "every call ends when its caller goes"


class SocketFront:
    """Asks a host, each time over a new connection."""

    def __init__(self, host: Host) -> None:
        """Asks this one."""
        self._host = host

    async def ask(
        self, method: str, path: str, *, headers: Fields = (), body: bytes = b"", pieces: Sequence[bytes] | None = None
    ) -> Reply:
        async with Peer(self._host.port) as peer:
            await peer.send(request(method, path, headers=headers, body=body, pieces=pieces))
            return await peer.reply(is_head=method == "HEAD")


class Peer:
    """One connection to a host."""

    def __init__(self, port: int) -> None:
        """Not connected yet."""
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        """Write it all."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, is_head: bool = False) -> Reply:
        """The next answer, as far as it comes."""
        reading = _Reading(is_head=is_head)
        while data := await self._reader.read(65_536):
            if reading.feed(data):
                break
        else:
            reading.end()
        (reply,) = reading.replies
        return reply

    async def read_until(self, separator: bytes) -> bytes:
        """What comes up to these bytes."""
        return await self._reader.readuntil(separator)

    async def read_to_end(self) -> bytes:
        """What comes until the connection is closed."""
        return await self._reader.read()


def replies_in(data: bytes) -> list[Reply]:
    """All the answers in what came over one connection that is closed or quiet; the last one may not be whole."""
    reading = _Reading(is_head=False)
    reading.feed(data)
    reading.end()
    return reading.replies


class _Reading:
    """Reads answers."""

    def __init__(self, *, is_head: bool) -> None:
        self.replies: list[Reply] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._is_head = is_head
        self._status = 0

    def feed(self, data: bytes) -> bool:
        """True once there is an answer."""
        if data:
            self._parser.feed_data(data)
        if self._is_head and self._status:
            self._add(is_whole=True)
        return bool(self.replies)

    def end(self) -> None:
        """No more will come."""
        if self._status:
            names = {name.lower() for name, _ in self._headers}
            self._add(is_whole=not names & {b"content-length", b"transfer-encoding"})

    def on_message_begin(self) -> None:
        self._headers = []
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._add(is_whole=True)

    def _add(self, *, is_whole: bool) -> None:
        self.replies.append(Reply(self._status, self._headers, self._body, is_whole))
        self._status = 0


def request(
    method: str,
    path: str,
    *,
    headers: Fields = (),
    body: bytes = b"",
    pieces: Sequence[bytes] | None = None,
    version: str = "1.1",
) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/{version}", "Host: gateway", *(f"{name}: {value}" for name, value in headers)]
    if pieces is not None:
        lines.append("Transfer-Encoding: chunked")
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
        return "\r\n".join([*lines, "", ""]).encode() + chunks
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
