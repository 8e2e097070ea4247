"""Opens the port that callers connect to, or says why it can't and what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Final

from satisfice.cli.exits import Failure

__all__ = ["BACKLOG", "listen", "url_of"]

BACKLOG: Final = 4096
"""Connections that may wait to be taken up."""


def listen(host: str, port: int, *, command: str) -> list[socket.socket]:
    """Sockets that listen at each address of the host, on one port; or `Failure`, with what to run instead.

    A name such as `localhost` may have several addresses, of which not all need be this machine's. Port 0 takes a
    free one. `command` is what was run, such as `satisfice serve`.
    """
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            here = _open(family, address, port=opened[0].getsockname()[1] if opened else port)
            if isinstance(here, OSError):
                missing = here
            else:
                opened.append(here)
        if not opened and missing is not None:
            raise missing
    except OSError as error:
        for each in opened:
            each.close()
        message, instead = _explain(error, host, port=port)
        raise Failure(message, hint=f"{command} {instead}") from error
    return opened


def url_of(opened: list[socket.socket], host: str) -> str:
    """Where a program on this machine reaches them: `http://127.0.0.1:8402`."""
    port: int = opened[0].getsockname()[1]
    name = _ANYWHERE.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


_ANYWHERE: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
_NEAR: Final = 20


def _addresses(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    yield from dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found)


def _open(family: socket.AddressFamily, address: str, *, port: int) -> socket.socket | OSError:
    """A socket that listens there, or why this machine has no such address; anything else is raised."""
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        return error  # the machine doesn't speak IPv6, or only that
    try:
        if os.name == "posix":  # elsewhere it would let two programs have the same port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)  # at once, so that it is known whether the port is ours
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return error
        raise
    return opened


def _explain(error: OSError, host: str, *, port: int) -> tuple[str, str]:
    """What went wrong, and the options to try instead."""
    if isinstance(error, socket.gaierror):
        return f"No address is known for the host `{host}`.", "--host 127.0.0.1"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken by another program.", f"--port {_free_port(host, port)}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"You may not open port {port}: low ports are the system's.", "--port 8402"
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return f"{host} is no address of this machine.", "--host 127.0.0.1"
    return f"Can't listen on {host}, port {port}: {error.strerror or error}.", "--port 8402"


def _free_port(host: str, taken: int) -> int:
    """The next port that is free; 0, which takes any, if none of the next ones is."""
    for port in range(taken + 1, min(taken + 1 + _NEAR, 65_536)):
        try:
            opened = [_open(family, address, port=port) for family, address in _addresses(host, port)]
        except OSError:
            continue
        for each in opened:
            if isinstance(each, socket.socket):
                each.close()
        return port
    return 0
