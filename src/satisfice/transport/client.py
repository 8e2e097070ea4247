"""Connections out: our own lean HTTP/1.1 client, since it is the one part of the path where no ready one is fast.

What it does not do: HTTP/2, redirects, cookies, compression. An answer's body is
handed on as it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from satisfice.core.errors import Break, Broken
from satisfice.transport.address import parse
from satisfice.transport.connection import Connection
from satisfice.transport.dial import Dialer
from satisfice.transport.exchange import Exchange
from satisfice.transport.pool import Pool
from satisfice.transport.request import RequestHead
from satisfice.transport.watch import Watch

if TYPE_CHECKING:
    from satisfice.core.clock import Clock
    from satisfice.ports import Answer, Endpoint, Sending

__all__ = ["HTTPTransport"]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class HTTPTransport:
    """Fills the port `Transport`: keeps connections by provider, one request at a time on each.

    Endpoints are told apart by identity first, so keep and reuse them.
    """

    __slots__ = ("_clock", "_dialer", "_is_closed", "_loop", "_pools", "_upstreams", "watch")

    def __init__(self, clock: Clock, environ: Mapping[str, str] = _NOTHING) -> None:
        """Within a running loop; the environment says which proxies to use where an endpoint doesn't."""
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(self._loop, environ)
        self._upstreams: dict[str, _Upstream] = {}
        self._pools: list[Pool] = []
        self._is_closed = False
        self.watch = Watch(self._loop, clock)
        """The timer of all that is under way."""

    async def open(self, endpoint: Endpoint, sending: Sending) -> Answer:
        """The answer, whatever its status, or `Broken`. Cancelling it drops the connection."""
        upstream = self._upstreams.get(endpoint.provider)
        if upstream is None or upstream.endpoint is not endpoint:
            upstream = self._admit(endpoint)
        head = upstream.head.write(sending)
        connection = upstream.pool.take() or await self._dial(upstream, sending.expires_at)
        while True:
            exchange = Exchange(connection, self._loop)
            exchange.start(endpoint.timeouts, now=self._clock.now(), expires_at=sending.expires_at)
            connection.send(exchange, head, body=sending.body)
            await exchange.news()
            if exchange.is_headed():
                return exchange
            # A kept connection, closed before it saw the request: nobody's fault. That can't be said of a new one.
            connection = await self._dial(upstream, sending.expires_at)

    async def aclose(self) -> None:
        """Close every connection."""
        self._is_closed = True
        self.watch.stop()
        for pool in self._pools:
            await pool.aclose()

    def _admit(self, endpoint: Endpoint) -> _Upstream:
        """An endpoint not seen before, or one whose provider was configured anew."""
        upstream = self._upstreams.get(endpoint.provider)
        if upstream is not None and upstream.endpoint == endpoint:
            upstream.endpoint = endpoint
            return upstream
        if upstream is not None:
            upstream.pool.retire()
        upstream = self._upstreams[endpoint.provider] = _Upstream(endpoint, Pool(self._loop))
        # A retired pool stays until its last connection has done its work, so that `aclose` finds it.
        self._pools = [*(pool for pool in self._pools if not pool.is_done), upstream.pool]
        return upstream

    async def _dial(self, upstream: _Upstream, expires_at: float) -> Connection:
        self._check_open()
        endpoint = upstream.endpoint
        left = expires_at - self._clock.now()
        try:
            connection = await self._dialer.dial(
                upstream.address,
                lambda: Connection(upstream.pool, self.watch),
                proxy=endpoint.proxy,
                ca_file=endpoint.ca_file,
                seconds=min(endpoint.timeouts.connect, left),
            )
        except Broken as broken:
            if broken.kind is Break.CONNECT_TIMEOUT and left <= endpoint.timeouts.connect:
                raise Broken(Break.TOTAL_TIMEOUT, "while connecting") from broken
            raise
        try:
            self._check_open()
        except Broken:
            connection.cut()
            raise
        return connection

    def _check_open(self) -> None:
        if self._is_closed:
            raise Broken(Break.CUT, "the gateway is stopping")


class _Upstream:
    """What is known of an endpoint."""

    __slots__ = ("address", "endpoint", "head", "pool")

    def __init__(self, endpoint: Endpoint, pool: Pool) -> None:
        self.endpoint = endpoint
        self.address = parse(endpoint.url)
        self.head = RequestHead(authority=self.address.authority, base=self.address.base, key=endpoint.key)
        self.pool = pool
