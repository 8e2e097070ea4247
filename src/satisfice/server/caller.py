"""Callers on the short way: requests from their first byte to the last one of their answers, without ASGI."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from satisfice.ports import Headers
from satisfice.server.app import App
from satisfice.server.inference import Inference

__all__ = ["Caller", "Worker"]


class Worker:
    """Answers the requests of one connection, one after the other, in a task that lasts as long as the connection.

    With a task for each request the task itself would be the dearest part of the way in: CPython 3.11 enters each into
    a weak set, which is written in Python.
    """

    __slots__ = ("_is_over", "_loop", "_next", "_task", "_tasks", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """While there is something to answer its task is among the server's, who waits for these and may cut them."""
        self._loop = loop
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._next: Caller | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_over = False

    def take(self, caller: Caller) -> None:
        """Answer this one next. There is never more than one to come: it is taken when the last one is answered."""
        self._next = caller
        task = self._task
        if task is None or task.done():
            task = self._task = self._loop.create_task(self._run())
            task.add_done_callback(self._tasks.discard)
        self._tasks.add(task)
        self._wake()

    def stop(self) -> None:
        """The connection is gone; what is being answered goes on to its end."""
        self._is_over = True
        self._wake()

    async def _run(self) -> None:
        while True:
            caller, self._next = self._next, None
            if caller is not None:
                await caller.answer()
            elif self._is_over:
                return
            else:
                await self._rest()

    async def _rest(self) -> None:
        """Wait for the next one; meanwhile nobody has to wait for this."""
        if self._task is not None:
            self._tasks.discard(self._task)
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Caller:
    """One request on the short way: fills the port `Downstream`, and what uvicorn wants of a request."""

    __slots__ = (
        "_app",
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
        "_worker",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
    )

    def __init__(self, protocol: HttpToolsProtocol, app: App, *, inference: Inference, worker: Worker) -> None:
        """Its head is here, for this endpoint of the application; the body is to come, and then the worker's turn."""
        parser = protocol.parser
        self._protocol = protocol
        self._app = app
        self._transport = protocol.transport
        self._inference = inference
        self._worker = worker
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
            self._worker.take(self)

    async def answer(self) -> None:
        """Let the gateway answer, to the end."""
        parts = self._body
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._body = []
        try:
            await self._app.answer(
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
        if not self.keep_alive:
            self._transport.close()
        self._protocol.on_response_complete()

    async def drain(self) -> None:
        """Wait until what was written is on its way."""
        flow: FlowControl = self._protocol.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()

    async def left(self) -> None:
        """Return when the caller has gone."""
        if not self.disconnected:
            self._gone = self._protocol.loop.create_future()
            await self._gone

    # What uvicorn's protocol wants of its request: it sets `disconnected`, then the event.

    @property
    def message_event(self) -> Caller:
        """The event by which uvicorn tells that something has happened."""
        return self

    def set(self) -> None:
        """Something has happened: the caller has left."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _put(self, data: bytes) -> None:
        if self._head:
            data = self._head + data
            self._head = b""
            self.response_started = True
        self._transport.write(data)
