"""From an address to a connection: name look-up, happy eyeballs, proxy, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohappyeyeballs import start_connection

from satisfice.core.errors import Break, Broken
from satisfice.transport.proxy import connect_http, connect_socks, from_environment, parse_proxy
from satisfice.transport.resumption import ResumingContext

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from aiohappyeyeballs import AddrInfoType

    from satisfice.core.secrets import Secret
    from satisfice.transport.address import Address
    from satisfice.transport.connection import Connection

    _Connect = Callable[..., Coroutine[object, object, tuple[asyncio.BaseTransport, Connection]]]

__all__ = ["Dialer"]

_HEAD_START: Final = 0.25
"""Seconds an address has before the next one is tried beside it (RFC 8305, section 5)."""
_GOODBYE: Final = 2.0
"""Seconds the other side has to answer the end of a TLS session."""
_PROBE_AFTER: Final = 60
"""Seconds of silence before the kernel asks whether the other side is still there; keeps routers from forgetting us."""
_BUFFER: Final = 4 * (16 * 1024 + 64)
"""Bytes of TLS to be held each way: four records. With aiofastnet's own sixteen, each connection that has sent a body
of 1 MB would keep 310 KiB, not 110 (measured)."""

try:
    from aiofastnet import create_connection
except ImportError:  # no build for this platform: the loop's own TLS does the same for more

    def _tls_connector(loop: asyncio.AbstractEventLoop) -> _Connect:
        return loop.create_connection

else:

    def _tls_connector(loop: asyncio.AbstractEventLoop) -> _Connect:
        return partial(create_connection, loop, ssl_incoming_bio_size=_BUFFER, ssl_outgoing_bio_size=_BUFFER)


class Dialer:
    """Makes connections."""

    __slots__ = ("_connect_tls", "_contexts", "_environ", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, environ: Mapping[str, str]) -> None:
        """The environment says which proxy to use where none is given."""
        self._loop = loop
        self._environ = environ
        self._connect_tls = _tls_connector(loop)
        self._contexts: dict[str | None, ssl.SSLContext] = {}

    async def dial(
        self,
        address: Address,
        make: Callable[[], Connection],
        *,
        proxy: Secret | None,
        ca_file: str | None,
        seconds: float,
    ) -> Connection:
        """A connection that stands within so many seconds, or `Broken`."""
        try:
            async with asyncio.timeout(seconds):
                context = self._context(ca_file) if address.tls else None
                sock = await self._reach(address, proxy or from_environment(address, self._environ))
                return await self._attach(sock, make, context=context, address=address)
        except TimeoutError as error:
            raise Broken(Break.CONNECT_TIMEOUT, f"{address.host}:{address.port}") from error
        except OSError as error:  # the other side has gone between two steps
            raise Broken(Break.UNREACHABLE, f"{address.host}:{address.port}: {_said(error)}") from error

    def _context(self, ca_file: str | None) -> ssl.SSLContext:
        """One for all endpoints that trust the same: reading the system's certificates takes 20 ms."""
        context = self._contexts.get(ca_file)
        if context is None:
            context = ResumingContext()
            context.set_alpn_protocols(["http/1.1"])
            if ca_file is not None:
                try:
                    context.load_verify_locations(cafile=ca_file)
                except OSError as error:
                    raise Broken(Break.TLS, f"can't read certificates from {ca_file}: {error}") from error
            self._contexts[ca_file] = context
        return context

    async def _reach(self, address: Address, url: Secret | None) -> socket.socket:
        """A TCP connection, through the proxy if there is one."""
        if url is None:
            return await self._connect(address.host, address.port)
        proxy = parse_proxy(url)
        if proxy.scheme != "http":
            return await connect_socks(proxy, address, loop=self._loop)
        try:
            sock = await self._connect(proxy.host, proxy.port)
        except Broken as broken:
            raise Broken(Break.PROXY, f"{proxy.host}:{proxy.port}: {broken}") from broken
        try:
            await connect_http(sock, proxy, address=address, loop=self._loop)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                raise Broken(Break.PROXY, _said(error)) from error
            raise
        return sock

    async def _connect(self, host: str, port: int) -> socket.socket:
        where = f"{host}:{port}"
        try:
            found = await self._look_up(host, port)
            return await start_connection(found, happy_eyeballs_delay=_HEAD_START, loop=self._loop)
        except ConnectionRefusedError as error:
            raise Broken(Break.REFUSED, where) from error
        except (OSError, RuntimeError, UnicodeError, ValueError) as error:
            raise Broken(Break.UNREACHABLE, f"{where}: {_said(error)}") from error

    async def _look_up(self, host: str, port: int) -> list[AddrInfoType]:
        return list(await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    async def _attach(
        self, sock: socket.socket, make: Callable[[], Connection], *, context: ssl.SSLContext | None, address: Address
    ) -> Connection:
        """Put our protocol on the socket, with TLS between them if there is a context."""
        try:
            _tune(sock)
            if context is None:
                _, connection = await self._loop.create_connection(make, sock=sock)
                return connection
            return await self._secure(sock, make, context=context, host=address.host)
        except BaseException:
            sock.close()
            raise

    async def _secure(
        self, sock: socket.socket, make: Callable[[], Connection], *, context: ssl.SSLContext, host: str
    ) -> Connection:
        try:
            _, connection = await self._connect_tls(
                make, sock=sock, ssl=context, server_hostname=host, ssl_shutdown_timeout=_GOODBYE
            )
        except ssl.SSLCertVerificationError as error:
            raise Broken(Break.TLS, f"{host}: certificate not trusted: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise Broken(Break.TLS, f"{host}: {_said(error)}") from error
        except OSError as error:
            raise Broken(Break.TLS, f"{host} hung up during the handshake") from error
        return connection


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with contextlib.suppress(AttributeError, OSError):  # not everywhere
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER)


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error) or type(error).__name__
