"""The bytes of a request's head: what never changes for an endpoint is put together once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from satisfice import __version__
from satisfice.core.errors import Break, Broken

if TYPE_CHECKING:
    from satisfice.core.secrets import Secret
    from satisfice.ports import Headers, Sending

__all__ = ["RequestHead"]

_OWN: Final = frozenset(
    {
        b"accept-encoding",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"user-agent",
    }
)


class RequestHead:
    """Writes the heads of one endpoint's requests."""

    __slots__ = ("_authority", "_base", "_kept", "_key")

    def __init__(self, *, authority: str, base: str, key: Secret | None) -> None:
        """The authority goes into `Host`, the base is put before each path."""
        self._authority = authority
        self._base = base
        self._key = key
        self._kept: dict[tuple[str, str, bool], bytes] = {}  # by method, path (we have a few) and if there is a body

    def write(self, sending: Sending) -> bytes:
        """The whole head with the empty line after it; `Broken(MALFORMED)` if a part of it would break a line."""
        size = len(sending.body)
        key = (sending.method, sending.path, size > 0)
        head = self._kept.get(key)
        if head is None:
            head = self._kept[key] = self._prepare(sending.method, sending.path, has_body=size > 0)
        if sending.headers:
            head += _lines([field for field in sending.headers if field[0] not in _OWN])
        return head + b"Content-Length: %d\r\n\r\n" % size if size else head + b"\r\n"

    def _prepare(self, method: str, path: str, *, has_body: bool) -> bytes:
        fields = [
            (b"Host", self._authority),
            (b"User-Agent", f"satisfice/{__version__}"),
            (b"Accept-Encoding", "identity"),
        ]
        if self._key is not None:
            fields.append((b"Authorization", f"Bearer {self._key.reveal()}"))
        if has_body:
            fields.append((b"Content-Type", "application/json"))
        line = f"{method} {self._base}{path} HTTP/1.1".encode()
        if line.count(b" ") != 2 or not line.isascii() or not line.decode().isprintable():
            raise Broken(Break.MALFORMED, "a path with a space or a control character in it")
        return line + b"\r\n" + _lines([(name, value.encode()) for name, value in fields])


def _lines(fields: Headers) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    # Each field brings one CR and one LF: any more would begin a line of the caller's making.
    count = len(fields)
    if lines.count(b"\n") != count or lines.count(b"\r") != count or b"\0" in lines:
        raise Broken(Break.MALFORMED, "a header field with a line break in it")
    return lines
