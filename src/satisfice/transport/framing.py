"""Where a body ends, and whether the head says so without a doubt (RFC 9112, section 6).

llhttp finds the end by itself and refuses most of what is malformed. These are
the cases in which it would go on with a guess that another reader of the same
bytes might not share.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from satisfice.core.errors import Break, Broken

if TYPE_CHECKING:
    from satisfice.ports import Headers

__all__ = ["MAX_FIELDS", "Framing", "check_interim", "framing"]

MAX_FIELDS: Final = 256
"""Fields a head may have."""

_BODILESS: Final = frozenset({204, 304})
_WATCHED: Final = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class Framing(Enum):
    """What ends a body."""

    NONE = "there is none"
    LENGTH = "its length"
    CHUNKED = "its last chunk"
    CLOSE = "the end of the connection"


def framing(status: int, headers: Headers, version: str) -> Framing:
    """What ends the body of this answer, or `Broken(MALFORMED)`; field names in lower case, version such as `1.1`."""
    if version not in _VERSIONS or not 200 <= status <= 599:
        raise Broken(Break.MALFORMED, f"HTTP/{version} with status {status}")
    if len(headers) > MAX_FIELDS:
        raise Broken(Break.TOO_LARGE, f"a head of {len(headers)} fields")
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _WATCHED:
            if name in found:
                raise Broken(Break.MALFORMED, f"{name.decode()} given twice")
            found[name] = value
    if not found:
        return Framing.NONE if status in _BODILESS else Framing.CLOSE
    return _framing(status, found, version)


def check_interim(status: int, headers: Headers) -> None:
    """`Broken(MALFORMED)` unless it is a 1xx answer that announces no body and changes no protocol."""
    if status == 101 or not 100 <= status <= 199:
        raise Broken(Break.MALFORMED, f"status {status}")
    if any(name in _WATCHED for name, _ in headers):
        raise Broken(Break.MALFORMED, f"a body with status {status}")


def _framing(status: int, found: dict[bytes, bytes], version: str) -> Framing:
    coding = found.get(b"content-encoding")
    if coding is not None and coding.lower() not in {b"", b"identity"}:
        raise Broken(Break.MALFORMED, f"content-encoding {coding[:40]!r} was not asked for")
    transfer = found.get(b"transfer-encoding")
    length = found.get(b"content-length")
    if transfer is not None:
        # A message of HTTP/1.0 can't have it (RFC 9112, section 6.1), nor can one with a length.
        if transfer.lower() != b"chunked" or version == "1.0" or length is not None:
            raise Broken(Break.MALFORMED, f"transfer-encoding {transfer[:40]!r}")
        return Framing.CHUNKED
    if length is not None and not length.isdigit():
        raise Broken(Break.MALFORMED, f"content-length {length[:40]!r}")
    if status in _BODILESS:
        return Framing.NONE
    return Framing.CLOSE if length is None else Framing.LENGTH
