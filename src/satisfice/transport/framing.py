"""What a head says: where its body ends, if it says so without a doubt (RFC 9112, section 6), and its fields.

llhttp finds the end by itself and refuses most of what is malformed: two
lengths, a length beside chunks, a bare CR or LF, a space before a colon. Here
the rest is refused, where it would go on with a guess that another reader of the
same bytes might not share.

Heads are kept as bytes and only split into fields for who asks: with a call per
field, the twenty fields of a usual answer would cost more than all the rest of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from satisfice.core.errors import Break, Broken

if TYPE_CHECKING:
    from satisfice.ports import Headers

__all__ = ["MAX_FIELDS", "check_interim", "ends_with_connection", "fields"]

MAX_FIELDS: Final = 256
"""Fields a head may have."""

_VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_BODILESS: Final = frozenset({204, 304})
_SHORTEST_FIELD: Final = 4
_ENCODINGS: Final = re.compile(rb"\n(content|transfer)-encoding:([^\r]*)")
_SHOWN: Final = 40


def ends_with_connection(status: int, head: bytes, *, is_delimited: bool) -> bool:
    """Is it the end of the connection that ends this body? `Broken` if that is in doubt.

    The head goes from the status line to the end of its last line; `is_delimited`
    when llhttp knows that there is another end.
    """
    if not 200 <= status <= 599 or not head.startswith(_VERSIONS):
        raise Broken(Break.MALFORMED, f"begins with {head[:_SHOWN]!r}")
    if len(head) > MAX_FIELDS * _SHORTEST_FIELD and head.count(b"\n") > MAX_FIELDS:
        raise Broken(Break.TOO_LARGE, f"a head of more than {MAX_FIELDS} fields")
    lines = head.lower()
    if b"-encoding:" in lines and _is_chunked(lines):
        return False
    return not is_delimited and status not in _BODILESS and b"\ncontent-length:" not in lines


def check_interim(status: int, head: bytes) -> None:
    """`Broken(MALFORMED)` unless it is a 1xx answer that announces no body and changes no protocol."""
    if status == 101 or not 100 <= status <= 199 or not head.startswith(_VERSIONS):
        raise Broken(Break.MALFORMED, f"begins with {head[:_SHOWN]!r}")
    lines = head.lower()
    if b"\ntransfer-encoding:" in lines or b"\ncontent-length:" in lines:
        raise Broken(Break.MALFORMED, f"a body with status {status}")


def fields(head: bytes) -> Headers:
    """The fields of a head, names in lower case."""
    found = []
    for line in head.split(b"\r\n")[1:-1]:
        name, _, value = line.partition(b":")
        found.append((name.lower(), value.strip()))
    return found


def _is_chunked(lines: bytes) -> bool:
    """Is the one coding used that may be used: chunks, and none of the content, since we asked for none."""
    is_chunked = False
    for kind, value in _ENCODINGS.findall(lines):
        encoding = value.strip()
        if kind == b"content":
            if encoding not in {b"", b"identity"}:
                raise Broken(Break.MALFORMED, f"content-encoding {encoding[:_SHOWN]!r} was not asked for")
        # A message of HTTP/1.0 can't have any (RFC 9112, section 6.1).
        elif encoding != b"chunked" or is_chunked or not lines.startswith(b"http/1.1"):
            raise Broken(Break.MALFORMED, f"transfer-encoding {encoding[:_SHOWN]!r}")
        else:
            is_chunked = True
    return is_chunked
