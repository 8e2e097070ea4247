"""TLS sessions, kept for the next connection with the same host, whose handshake is shorter (RFC 8446, section 2.2).

Python takes a session up again only where it makes the connection itself, by `SSLContext.wrap_bio`. The direct engine
of aiofastnet doesn't ask it: it takes OpenSSL's `SSL_CTX` out of the context and goes on from there. So there are two
ways here to one end: `wrap_bio` is overridden for whoever calls it, and where aiofastnet is direct, OpenSSL itself is
told to call us, when it has a session to keep and when a handshake begins.
"""

from __future__ import annotations

import ctypes
import ssl
from typing import Final, Self

try:
    from aiofastnet import OPENSSL_DYN_LIBS as _LIBS
except ImportError:
    _LIBS = None

__all__ = ["ResumingContext"]

_LIBSSL: Final = None if _LIBS is None else _LIBS.libssl
"""The file of the library that Python's `ssl` runs on; None where aiofastnet has to go by Python, as we do then."""

_HOSTS: Final = 256
"""Hosts whose sessions are kept."""
_TICKETS: Final = 4
"""Sessions kept of a host: a server sends two with each handshake, and each is used once (RFC 8446, C.4)."""

# Numbers of OpenSSL's ssl.h, the same since 1.1.1.
_HANDSHAKE_START: Final = 0x10
_SET_SESSION_CACHE_MODE: Final = 44
_CLIENT_SESSIONS_TO_US: Final = 0x0001 | 0x0300  # SSL_SESS_CACHE_CLIENT, SSL_SESS_CACHE_NO_INTERNAL
_TLS_1_3: Final = 0x0304

_OnInfo: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
_OnSession: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class ResumingContext(ssl.SSLContext):
    """What a client trusts, as `ssl.create_default_context` has it, and the sessions it has had.

    A host is known by its name; with an IP address there is no resumption the direct way.
    """

    _latest: dict[str, ssl.SSLObject]
    _tickets: _Tickets | None

    def __new__(cls) -> Self:
        """Trusting what the system trusts."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self.load_default_certs()
        self._latest = {}
        self._tickets = None if _LIBSSL is None else _Tickets(ctypes.CDLL(_LIBSSL), self)
        return self

    def wrap_bio(  # type: ignore[override]  # callers give the rest by name
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> ssl.SSLObject:
        """As the overridden one, going on from the latest connection with this host."""
        host = str(server_hostname)
        session = _session_of(self._latest.pop(host, None))  # only now: tickets come after the handshake
        wrapped = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if len(self._latest) >= _HOSTS:
            del self._latest[next(iter(self._latest))]
        self._latest[host] = wrapped
        return wrapped


def _session_of(connection: ssl.SSLObject | None) -> ssl.SSLSession | None:
    """What it would go on from, if its handshake was completed."""
    if connection is None:
        return None
    try:
        connection.getpeercert(binary_form=True)
    except ValueError:
        return None
    return connection.session


class _Tickets:
    """Sessions as OpenSSL has them. Each pointer kept here is one reference, freed here."""

    def __init__(self, lib: ctypes.CDLL, context: ssl.SSLContext) -> None:
        self._lib = lib
        self._kept: dict[bytes, list[int]] = {}
        for name, result, parameters in _SIGNATURES:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, parameters
        # OpenSSL keeps only the addresses of these two: they live as long as the context.
        self._on_info = _OnInfo(lambda connection, where, _: self._begins(connection, where))
        self._on_session = _OnSession(self._keep)
        # CPython keeps the SSL_CTX right behind the object's head; aiofastnet reads it there as well.
        ctx = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
        lib.SSL_CTX_ctrl(ctx, _SET_SESSION_CACHE_MODE, _CLIENT_SESSIONS_TO_US, None)
        lib.SSL_CTX_sess_set_new_cb(ctx, self._on_session)
        lib.SSL_CTX_set_info_callback(ctx, self._on_info)

    def __del__(self) -> None:
        for tickets in self._kept.values():
            self._free(tickets)

    def _begins(self, connection: int, where: int) -> None:
        """Something happens in a handshake; at its very start a session can be put in."""
        if where != _HANDSHAKE_START or self._lib.SSL_get_session(connection):
            return
        tickets = self._kept.get(self._lib.SSL_get_servername(connection, 0))
        if not tickets:
            return
        self._lib.SSL_set_session(connection, tickets[-1])
        if self._lib.SSL_SESSION_get_protocol_version(tickets[-1]) >= _TLS_1_3:
            self._free([tickets.pop()])

    def _keep(self, connection: int, session: int) -> int:
        """A session to keep: 1 if its reference is ours from now on, else 0."""
        host = self._lib.SSL_get_servername(connection, 0)
        if host is None:
            return 0
        tickets = self._kept.setdefault(host, [])
        if len(tickets) == _TICKETS:
            self._free([tickets.pop(0)])
        elif len(self._kept) > _HOSTS:
            self._free(self._kept.pop(next(iter(self._kept))))
        tickets.append(session)
        return 1

    def _free(self, tickets: list[int]) -> None:
        for ticket in tickets:
            self._lib.SSL_SESSION_free(ticket)


_SIGNATURES: Final = (
    ("SSL_CTX_ctrl", ctypes.c_long, (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)),
    ("SSL_CTX_sess_set_new_cb", None, (ctypes.c_void_p, _OnSession)),
    ("SSL_CTX_set_info_callback", None, (ctypes.c_void_p, _OnInfo)),
    ("SSL_SESSION_free", None, (ctypes.c_void_p,)),
    ("SSL_SESSION_get_protocol_version", ctypes.c_int, (ctypes.c_void_p,)),
    ("SSL_get_servername", ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_int)),
    ("SSL_get_session", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("SSL_set_session", ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
)
