"""The kinds of value that name a place on a network: where we listen, whom we ask, and through which proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar, Final
from urllib.parse import urlsplit

from satisfice.config.problems import Code, Unfit
from satisfice.config.values import Kind

__all__ = ["Address", "Host", "check_proxy", "is_loopback", "is_plain_proxy"]


class Host(Kind):
    """An address or a name of this machine."""

    @property
    def what(self) -> str:
        """For people."""
        return "an IP address or a host name"

    def read(self, value: object) -> str:
        """As it is."""
        if not isinstance(value, str):
            raise Unfit(code=Code.BAD_TYPE)
        if _is_host(value):
            return value
        parts = _HOST_AND_PORT.fullmatch(value)
        host = parts[1].strip("[]") if parts else ""
        if not parts or not _is_host(host):
            raise Unfit
        raise Unfit(hint=f'write host = "{host}"' + (f" and port = {parts[2]}" if parts[2] else ""))

    def schema(self) -> Mapping[str, object]:
        """A string."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Address(Kind):
    """What is asked over HTTP."""

    is_base: bool = True
    """Whether it is a provider's, to which each call adds a path of its own, rather than one document's."""
    may_be_secret: ClassVar[bool] = True

    @property
    def what(self) -> str:
        """For people."""
        return "an http:// or https:// address"

    def read(self, value: object) -> str:
        """As it is; a base without a slash at its end."""
        if not isinstance(value, str):
            raise Unfit(code=Code.BAD_TYPE)
        if not _has_host(value, ("http", "https")):
            is_bare = "://" not in value and not self.hides(value) and _has_host(f"https://{value}", ("https",))
            raise Unfit(hint=f'write "https://{value}"' if is_bare else "")
        if "@" in urlsplit(value).netloc:
            hint = "name the key by `key` instead" if self.is_base else "take them out"
            raise Unfit("must not hold a user or a password", hint=hint)
        if "?" in value or "#" in value:
            raise Unfit("must not hold a query or a fragment", hint="end it before the `?` or `#`")
        return _base(value) if self.is_base else value

    def schema(self) -> Mapping[str, object]:
        """A string."""
        return {"type": "string", "format": "uri", "pattern": "^https?://[^?#@]+$"}

    def hides(self, value: str) -> bool:
        """Whether it may hold a password or a token."""
        return bool(value) and not re.fullmatch(rf"{_PLAIN}(?:/[^?#@]*)?", value)


def is_loopback(host: str) -> bool:
    """Is it sure that nobody but this machine can connect there?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def check_proxy(address: str) -> None:
    """Raise `Unfit` unless this is the address of a proxy; it may hold a password, so none of it is said."""
    if not _has_host(address, _PROXIES):
        raise Unfit("must be an address that begins with http://, socks5:// or socks5h://")
    if urlsplit(address).path not in {"", "/"} or "?" in address or "#" in address:
        raise Unfit("must end after the port", hint="write scheme://host:port")


def is_plain_proxy(address: str) -> bool:
    """Does this address hold no password?"""
    return bool(re.fullmatch(rf"{_PLAIN}/?", address))


# A host and a port; where a colon is followed by other than a port, a password may be meant.
_PLAIN: Final = r"(?:[a-z0-9]+://)?(?:\[[0-9a-fA-F:.]*\]|[A-Za-z0-9._-]*)(?::[0-9]{1,5})?"
_PROXIES: Final = ("http", "socks5", "socks5h")
_CALLS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings", "/models")
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*")
_HOST_AND_PORT: Final = re.compile(r"(?:https?://)?(\[.+\]|[^:/]+)(?::(\d+))?/?")


def _base(address: str) -> str:
    bare = address.rstrip("/")
    for path in _CALLS:
        if bare.endswith(path):
            raise Unfit(f"must not end with {path}, which each call adds", hint=f'write "{bare[: -len(path)]}"')
    return bare


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return bool(_NAME.fullmatch(text)) and not re.fullmatch(r"[\d.]+", text)
    return True


def _has_host(text: str, schemes: tuple[str, ...]) -> bool:
    """Is this an address of printable ASCII, with one of the schemes, a host, and a port that can be?"""
    if not re.fullmatch(r"[!-~]+", text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
