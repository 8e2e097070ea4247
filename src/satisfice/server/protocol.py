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
from typing import Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from satisfice.ports import Headers
from satisfice.server.app import App
from satisfice.server.inference import Inference

__all__ = ["MAX_HEAD", "CallerProtocol"]

MAX_HEAD: Final = 64 << 10
"""Bytes of request line and header fields together."""

_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 41\r\nconnection: close\r\n\r\n"
    b"The header fields are larger than 64 KiB\n"
)
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
    _caller: _Caller | None = None
    """The request that is being read, if it is on the short way."""
    _answered: _Caller | None = None
    """The last request that took the short way."""
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
        self.satisfice = cast("App", config.app)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what it has taken without completing the head, for it would collect for ever."""
        is_head = self._head is not None or not self._is_reading
        self._most = (self._head or 0) + len(data)
        super().data_received(data)
        if self._head is not None:
            # A read that began within a request has its rest in it, too: rather too little is counted than too much.
            self._head = self._most if is_head else 0
            if self._head > MAX_HEAD:
                self._refuse_head()

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
        if self._most > MAX_HEAD and self._head_size() > MAX_HEAD:
            self._refuse_head()
            raise _HeadTooLarge
        before = self._last_cycle
        parser = self.parser
        if (
            parser.get_method() == b"POST"
            and (before is None or before.response_complete)
            and not self.expect_100_continue
            and not parser.should_upgrade()
        ):
            inference = self.satisfice.inference(self.url.partition(b"?")[0], self.headers)
            if inference is not None:
                self._caller = self._answered = _Caller(self, inference)
                # To uvicorn it is a request like any other: drained at the end, told when the caller leaves.
                self.cycle = cast("RequestResponseCycle", self._caller)
                return
        url, headers, expect_100_continue = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = expect_100_continue
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
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
        """Say that this is no HTTP, but not into the middle of an answer."""
        if self._is_amid_answer():
            self.transport.close()
        elif not self.transport.is_closing():
            super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone, or we closed."""
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()
        if self._answered is not None:  # uvicorn has told the last request only, and there may be one waiting behind
            self._answered.lose()

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

    def _refuse_head(self) -> None:
        if not self._is_amid_answer():
            self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()

    def _is_amid_answer(self) -> bool:
        cycle = self._last_cycle
        return bool(self.pipeline) or (cycle is not None and cycle.response_started and not cycle.response_complete)


class _HeadTooLarge(Exception):
    """Stops the parser."""


class _Caller:
    """One request on the short way: fills the port `Downstream`, and what uvicorn wants of a request."""

    __slots__ = (
        "_body",
        "_gone",
        "_has_begun",
        "_head",
        "_headers",
        "_inference",
        "_is_chunked",
        "_is_modern",
        "_protocol",
        "_room",
        "_transport",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
    )

    def __init__(self, protocol: CallerProtocol, inference: Inference) -> None:
        parser = protocol.parser
        self._protocol = protocol
        self._transport = protocol.transport
        self._inference = inference
        self._headers: Headers = protocol.headers
        self._body: list[bytes] = []
        self._room = inference.max_body
        self._head = b""
        self._is_modern = parser.get_http_version() == "1.1"
        self._is_chunked = False
        self._has_begun = False
        self._gone: asyncio.Future[None] | None = None
        self.keep_alive = self._is_modern and parser.should_keep_alive()
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    def take(self, piece: bytes) -> None:
        """A piece of the request's body; one over the limit is answered at once, and the rest passed over."""
        if self._room < 0:
            return
        self._room -= len(piece)
        self._body.append(piece)
        if self._room < 0:
            self._body.clear()
            self.begin()

    def begin(self) -> None:
        """Let the gateway answer, if it hasn't begun."""
        if not self._has_begun:
            self._has_begun = True
            protocol = self._protocol
            task = protocol.loop.create_task(self._run(protocol.satisfice))
            protocol.tasks.add(task)
            task.add_done_callback(protocol.tasks.discard)

    async def _run(self, app: App) -> None:
        parts = self._body
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._body = []
        try:
            await app.answer(
                self._inference, headers=self._headers, body=None if self._room < 0 else body, downstream=self
            )
        finally:
            if not self.response_complete and not self.disconnected:
                self._transport.close()  # so that half an answer is not taken for a whole one

    def lose(self) -> None:
        """The caller has gone."""
        if not self.response_complete:
            self.disconnected = True
        self.set()

    # The port `Downstream`.

    @property
    def has_started(self) -> bool:
        """No other head can be sent."""
        return self.response_started

    def start(self, status: int, headers: Headers) -> None:
        """Set the head; it goes out with the first bytes of the body."""
        head = [STATUS_LINE[status]]
        head += [b"%b: %b\r\n" % field for field in self._protocol.server_state.default_headers]
        self._is_chunked = self._is_modern  # else the end of the connection is the end of the body
        for name, value in headers:
            head.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                self._is_chunked = False
        if self._is_chunked:
            head.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        head.append(b"\r\n")
        self._head = b"".join(head)

    def write(self, data: bytes) -> bool:
        """Hand bytes on at once; false when the caller reads too slowly: `drain` before more."""
        if self.disconnected:
            return True
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._put(data)
        return not self._protocol.flow.write_paused

    def end(self, data: bytes = b"") -> None:
        """The last bytes and the end of the body, together."""
        if self.disconnected or self.response_complete:
            return
        if self._is_chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        self._put(data)
        self.response_complete = True
        self.set()
        if not self.keep_alive:
            self._transport.close()
        self._protocol.on_response_complete()

    async def drain(self) -> None:
        """Wait until what was written is on its way."""
        flow: FlowControl = self._protocol.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()

    async def left(self) -> None:
        """Return when the caller has gone, or has had all."""
        if not self.disconnected and not self.response_complete:
            self._gone = self._protocol.loop.create_future()
            await self._gone

    # What uvicorn's protocol wants of its request: it sets `disconnected`, then the event.

    @property
    def message_event(self) -> _Caller:
        """The event by which uvicorn tells that something has happened."""
        return self

    def set(self) -> None:
        """Something has happened: the caller has left, or has had all."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _put(self, data: bytes) -> None:
        if self._head:
            data = self._head + data
            self._head = b""
            self.response_started = True
        self._transport.write(data)
