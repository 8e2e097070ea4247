"""The connection of a caller: uvicorn's, with a short way for the inference paths and a limit on heads.

uvicorn and ASGI serve everything, but at a price: a scope, a task, an event
and a timer for each request and two writes for each response. Of a plain
inference call that is a third of the gateway's whole CPU and the largest part
of the latency it adds. So such a call (POST, a known path, the right key, no
`Expect`) goes straight from the parser to the gateway; any other request, and
all of them under another server, take the way of ASGI.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from satisfice.core.errors import BadRequest, GatewayError, HeadTooLarge
from satisfice.ports import Headers
from satisfice.server.app import App
from satisfice.server.caller import Caller, Worker

__all__ = ["MAX_HEAD", "CallerProtocol"]

MAX_HEAD: Final = 64 << 10
"""Bytes of request line and header fields together."""

_H2C: Final = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n|\Z)", re.IGNORECASE)
_FRAMING: Final = 4
"""Bytes of a header field besides its name and its value."""


class CallerProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools; the overridden methods are its and the parser's callbacks."""

    _is_reading = False
    """A request has begun and is not whole."""
    _head: int | None = None
    """Bytes of the head that has begun and is not whole; None: there is none."""
    _most = 0
    """Bytes that a head which ends in this read can have."""
    _barren = 0
    """Bytes since the last of the body, or since the head: what frames chunks, and trailers."""
    _is_barren = True
    """This read has brought nothing of the body."""
    _caller: Caller | None = None
    """The request that is being read, if it is on the short way."""
    _answered: Caller | None = None
    """The last request that took the short way."""
    _worker: Worker | None = None
    """Answers what takes the short way."""
    _idle_since: float | None = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it; the application must be an `App`."""
        super().__init__(config, server_state, app_state, _loop)
        self._satisfice = cast("App", config.app)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what it has taken without completing the head, for it would collect for ever."""
        is_head = self._head is not None or not self._is_reading
        if is_head and b"h2c" in data:
            data = _without_h2c(data)
        self._most = (self._head or 0) + len(data)
        self._is_barren = True
        super().data_received(data)
        if self._head is not None:
            # A read that began within a request has its rest in it, too: rather too little is counted than too much.
            self._head = self._most if is_head else 0
            if self._head > MAX_HEAD:
                self._refuse(_head_too_large())
        elif self._is_reading:
            self._barren = self._barren + len(data) if self._is_barren else 0
            if self._barren > MAX_HEAD:
                self._refuse(BadRequest("There is more around the chunks of the body than in them."))

    def on_message_begin(self) -> None:
        """A head begins; uvicorn's scope is made when it is sure to be needed."""
        self._is_reading = True
        self._head = 0
        self._caller = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """The head is whole: choose the way."""
        self._head = None
        self._barren = 0
        if self._most > MAX_HEAD and self._head_size() > MAX_HEAD:
            self._refuse(_head_too_large())
            raise _Stop
        before = self._last_cycle
        parser = self.parser
        if (
            parser.get_method() == b"POST"
            and (before is None or before.response_complete)
            and not self.expect_100_continue
            and not parser.should_upgrade()
        ):
            inference = self._satisfice.inference(self.url.partition(b"?")[0], self.headers)
            if inference is not None:
                worker = self._worker
                if worker is None:
                    worker = self._worker = Worker(self.loop, self.tasks)
                self._caller = self._answered = Caller(self, self._satisfice, inference=inference, worker=worker)
                # To uvicorn it is a request like any other: drained at the end, told when the caller leaves.
                self.cycle = cast("RequestResponseCycle", self._caller)
                self.headers = []  # the parser brings trailers as if they were fields of the head
                return
        url, headers, expect_100_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = expect_100_continue
        super().on_headers_complete()
        self.headers = []  # as above

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._is_barren = False
        if self._caller is None:
            super().on_body(body)
        else:
            self._caller.take(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._is_reading = False
        if self._caller is None:
            super().on_message_complete()
        else:
            self._caller.begin()
        cycle = self._last_cycle
        if cycle is not None and cycle.response_complete:  # answered before it was whole
            self._rest()

    def on_response_complete(self) -> None:
        """Wait for the next request, but not for ever."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._rest()

    def timeout_keep_alive_handler(self) -> None:
        """Close if it has been idle so long; the timer is set once and moved on, instead of once a request."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._arm(left)
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP."""
        self._refuse(BadRequest(msg, hint="Speak HTTP/1.1."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone, or we closed."""
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()
        if self._answered is not None:  # uvicorn has told the last request only, and there may be one waiting behind
            self._answered.lose()
        if self._worker is not None:
            self._worker.stop()

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        return self.cycle  # uvicorn doesn't say that there may be none

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _rest(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._arm(self.timeout_keep_alive)

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _FRAMING for name, value in self.headers)

    def _refuse(self, error: GatewayError) -> None:
        """Say what is wrong, but not into the middle of an answer; and close, for nobody knows where to read on."""
        if self.transport.is_closing():
            return
        if not self._is_amid_answer():
            self._satisfice.refuse(error, _LastWord(self))
        self.transport.close()

    def _is_amid_answer(self) -> bool:
        cycle = self._last_cycle
        return bool(self.pipeline) or (cycle is not None and cycle.response_started and not cycle.response_complete)


class _Stop(Exception):
    """Stops the parser."""


class _LastWord:
    """Fills the port `Downstream` for what is no request: what it says is the last on its connection."""

    def __init__(self, protocol: CallerProtocol) -> None:
        self._protocol = protocol

    def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        fields = (*self._protocol.server_state.default_headers, *headers, (b"connection", b"close"))
        self.write(b"".join((STATUS_LINE[status], *(b"%b: %b\r\n" % field for field in fields), b"\r\n")))

    def write(self, data: bytes) -> bool:
        """Hand bytes on at once."""
        self._protocol.transport.write(data)
        return True

    def end(self, data: bytes = b"") -> None:
        """The last bytes; whoever began this closes the connection."""
        self.write(data)

    async def drain(self) -> None:
        """It is little: nobody waits for it."""

    async def left(self) -> None:
        """Nobody asks."""


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's head is larger than {MAX_HEAD >> 10} KiB.")


def _without_h2c(data: bytes) -> bytes:
    """A head without the offer to speak HTTP/2, as Java's client makes it: the parser would pass the body over."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _H2C.sub(b"", head) + end + rest
