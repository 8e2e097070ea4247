"""Which proxy leads to an upstream, and how to get through it."""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from satisfice.core.errors import Break, Broken
from satisfice.core.secrets import Secret
from satisfice.transport.address import Address, is_loopback

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Mapping

__all__ = ["Proxy", "connect_http", "connect_socks", "from_environment", "parse_proxy"]

_PORTS: Final = (("http", 8080), ("socks5", 1080), ("socks5h", 1080))
_MAX_REPLY: Final = 16 * 1024
_MAX_DETAIL: Final = 100


class Proxy(NamedTuple):
    """The parts of `socks5h://user:password@host:port`."""

    scheme: str
    """`http` asks for a tunnel; `socks5` gets a number that we looked up, `socks5h` looks the name up itself."""
    host: str
    port: int
    user: str
    password: Secret


def parse_proxy(url: Secret) -> Proxy:
    """The parts of a proxy's address, or `Broken(PROXY)`, which doesn't repeat it: it may hold a password."""
    text = url.reveal()
    ports = dict(_PORTS)
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or ports[parts.scheme]
    except (ValueError, KeyError):
        port = 0
        parts = urlsplit("")
    if not parts.hostname:
        raise Broken(Break.PROXY, "not an address such as http://host:port, socks5://host:port or socks5h://host:port")
    password = Secret(unquote(parts.password or ""))
    return Proxy(parts.scheme, parts.hostname, port, unquote(parts.username or ""), password)


def from_environment(address: Address, environ: Mapping[str, str]) -> Secret | None:
    """What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, in capitals or not; this machine needs no proxy."""
    if is_loopback(address.host):
        return None
    scheme = "https" if address.tls else "http"
    url = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
    if not url or _is_excepted(address, _variable(environ, "no_proxy")):
        return None
    return Secret(url)


async def connect_socks(proxy: Proxy, address: Address, *, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """A connection to the address through a SOCKS5 proxy (RFC 1928), or `Broken(PROXY)`."""
    through = SocksProxy(
        ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        proxy.user,
        proxy.password.reveal(),
        rdns=proxy.scheme == "socks5h",
        loop=loop,
    )
    try:
        return await through.connect(address.host, address.port)
    except ProxyError as error:
        raise Broken(Break.PROXY, str(error)) from error
    except (OSError, ValueError) as error:
        raise Broken(Break.PROXY, f"{proxy.host}:{proxy.port}: {type(error).__name__}") from error


async def connect_http(sock: socket.socket, proxy: Proxy, *, address: Address, loop: asyncio.AbstractEventLoop) -> None:
    """Ask the HTTP proxy at the other end for a tunnel to the address (RFC 9110, section 9.3.6), or `Broken(PROXY)`."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    lines = [f"CONNECT {host}:{address.port} HTTP/1.1", f"Host: {host}:{address.port}"]
    if proxy.user:
        token = base64.b64encode(f"{proxy.user}:{proxy.password.reveal()}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    await loop.sock_sendall(sock, "\r\n".join((*lines, "", "")).encode())
    reply = bytearray()
    while b"\r\n\r\n" not in reply:
        piece = await loop.sock_recv(sock, _MAX_REPLY)
        reply += piece
        if not piece or len(reply) > _MAX_REPLY:
            raise Broken(Break.PROXY, "it hung up" if not piece else "an endless reply")
    status = reply.split(b"\r\n", 1)[0].decode("latin-1")
    # Neither TLS nor HTTP lets the upstream speak first, so what follows the reply would be the proxy's own.
    if not status.startswith(("HTTP/1.0 2", "HTTP/1.1 2")) or not reply.endswith(b"\r\n\r\n"):
        raise Broken(Break.PROXY, ascii(status[:_MAX_DETAIL]))


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _is_excepted(address: Address, exceptions: str) -> bool:
    return any(_matches(address, entry) for part in exceptions.split(",") if (entry := part.strip().lower()))


def _matches(address: Address, entry: str) -> bool:
    """A NO_PROXY entry: `*`, a domain and all below it, an address, a network, each perhaps with a port."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(address.host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass  # one of them is a name
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit():
        if int(port) != address.port:
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*").removeprefix(".")
    host = address.host.lower()
    return host == entry or host.endswith(f".{entry}")
