"""Where an endpoint is, read from its address once."""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from satisfice.core.errors import Break, Broken

__all__ = ["Address", "is_loopback", "parse"]

_HINT: Final = "not an address such as https://host/v1"


class Address(NamedTuple):
    """The parts of `https://host:port/base`."""

    tls: bool
    host: str
    """In ASCII, without the brackets of IPv6."""
    port: int
    base: str
    """The path that comes before each request's own, without a slash at the end."""

    @property
    def authority(self) -> str:
        """For the field `Host`: without the port where it is the scheme's own (RFC 9110, section 4.2.3)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse(url: str) -> Address:
    """The parts of an address of HTTP, or `Broken(UNREACHABLE)`."""
    try:
        parts = urlsplit(url)
        host = _ascii(parts.hostname or "")
        port = parts.port
    except ValueError:  # whose text may repeat a password
        raise Broken(Break.UNREACHABLE, _HINT) from None
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.query:
        raise Broken(Break.UNREACHABLE, _HINT)
    tls = parts.scheme == "https"
    return Address(tls, host, port or (443 if tls else 80), parts.path.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Is it this machine by name or number?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()
