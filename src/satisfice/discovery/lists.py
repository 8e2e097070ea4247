"""Gets a JSON list over HTTP and takes it apart, so that one odd element of it spoils no other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import msgspec

from satisfice.core.errors import Break, Broken
from satisfice.ports import Endpoint, Headers, Sending, Transport

__all__ = ["Fetched", "fetch_list", "showable", "unix_ms"]

_MOST: Final = 16 << 20
_MOST_ELEMENTS: Final = 10_000
"""Taking more apart would keep all calls waiting for too long. Real lists have hundreds."""
_SHOWN: Final = 200
_PRINTABLE: Final = re.compile("[!-~](?:[ -~]*[!-~])?")

_elements_of = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Fetched(NamedTuple):
    """A list that was answered."""

    elements: Sequence[msgspec.Raw]
    """Each as the JSON that it came as."""
    date_ms: int | None
    """When the answer was made, in milliseconds since 1970, if it says so (RFC 9110, section 6.6.1)."""


async def fetch_list(transport: Transport, endpoint: Endpoint, *, path: str, member: str, of: str) -> Fetched:
    """What a `GET` is answered with: a list, or an object that has it as this member; `Broken` if with neither."""
    told = path.partition("?")[0]
    answer = await transport.open(endpoint, Sending(path, b"", method="GET"))
    answer.flow()
    body = await answer.read(_MOST)
    answer.close()
    if answer.status != 200:
        raise Broken(Break.MALFORMED, f"GET {told} was answered with status {answer.status}")
    try:
        elements = _elements(body, member)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Broken(Break.MALFORMED, f"GET {told} was not answered with a list of {of}") from None
    if len(elements) > _MOST_ELEMENTS:
        raise Broken(Break.TOO_LARGE, f"GET {told} was answered with {len(elements):,} {of}")
    return Fetched(elements, _date(answer.headers))


def showable(text: str) -> str:
    """What others wrote, fit for a screen and no longer than one may like."""
    shown = text[:_SHOWN] if _PRINTABLE.fullmatch(text) else ascii(text[:_SHOWN])
    return shown if len(text) <= _SHOWN else f"{shown}…"


def unix_ms(time: datetime) -> int:
    """Milliseconds since 1970; what has no time zone is in UTC."""
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000)


def _elements(body: bytes, member: str) -> list[msgspec.Raw]:
    try:
        return _taken_apart(body, member)
    except msgspec.DecodeError:
        # Many a program writes NaN and Infinity, which are no JSON (RFC 8259, section 6); here they become null.
        return _taken_apart(msgspec.json.encode(json.loads(body)), member)


def _taken_apart(body: bytes, member: str) -> list[msgspec.Raw]:
    if body.lstrip()[:1] == b"[":
        return _elements_of(body)
    return _elements_of(_members_of(body).get(member, b"null"))


def _date(headers: Headers) -> int | None:
    value = next((value for name, value in headers if name == b"date"), b"")
    try:
        return unix_ms(parsedate_to_datetime(value.decode("latin-1")))
    except ValueError:
        return None
