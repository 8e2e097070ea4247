"""Who may come in: the address to listen on, the access token, and the callers' keys beside it."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.config.addresses import is_loopback
from satisfice.config.callers import CallerKey
from satisfice.config.problems import Code
from satisfice.config.reading import Entry, Reader
from satisfice.config.rules import refuse_twins
from satisfice.config.schema import ServerConfig
from satisfice.config.spans import KeyPath
from satisfice.core.secrets import Secret

__all__ = ["check_access"]


def check_access(server: Entry[ServerConfig], keys: Sequence[Entry[CallerKey]], *, reader: Reader) -> None:
    """Nobody comes in without a key if others can reach us, and a key tells who it is."""
    _check_host(server, keys, reader=reader)
    refuse_twins(reader, keys, key="name")
    _refuse_same_keys(server, keys, reader=reader)


def _check_host(server: Entry[ServerConfig], keys: Sequence[Entry[CallerKey]], *, reader: Reader) -> None:
    path, raw, settings = server
    if settings and not is_loopback(settings.host) and "access_token" not in raw and not keys:
        message = f"other machines can reach {settings.host}, and there is no `access_token`"
        hint = 'set access_token = "env:SATISFICE_TOKEN" here, add [[keys]], or set host = "127.0.0.1"'
        reader.note(Code.OPEN_TO_NETWORK, (*path, "host"), message=message, hint=hint)


def _refuse_same_keys(server: Entry[ServerConfig], keys: Sequence[Entry[CallerKey]], *, reader: Reader) -> None:
    """However they are written: what counts is what they are."""
    first: dict[Secret, KeyPath] = {}
    if server.value and server.value.access_token:
        first[server.value.access_token] = (*server.path, "access_token")
    for entry in keys:
        path = (*entry.path, "key")
        if entry.value and (twin := first.setdefault(entry.value.key, path)) is not path:
            message = f"this is the same secret as `{twin[-1]}` in line {reader.line_of(twin)}"
            hint = "give each caller a key of its own"
            reader.note(Code.DUPLICATE, path, message=message, hint=hint)
