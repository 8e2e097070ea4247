"""Fills the port `Downstream` over ASGI; nothing behind it knows ASGI."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any

from satisfice.core.errors import BadRequest
from satisfice.ports import Headers

__all__ = ["ASGIDownstream", "Message", "Receive", "Scope", "Send"]

Message = MutableMapping[str, Any]
"""An ASGI event (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Coroutine[object, None, None]]


class ASGIDownstream:
    """A caller behind an ASGI server.

    A piece of a stream arrives in a callback of the upstream's connection and
    should leave in the same instant. ASGI's `send` is a coroutine, but one that
    only waits when the caller's socket is full; so it is stepped by hand. What
    it did not finish then is finished in `drain`.
    """

    __slots__ = ("_head", "_queue", "_receive", "_send", "_stalled", "has_started")

    def __init__(self, receive: Receive, send: Send) -> None:
        """The two ends that the server gave."""
        self._receive = receive
        self._send = send
        self._head: Message | None = None
        self.has_started = False
        """The head is out; no other can be sent."""
        self._queue: list[Message] = []
        self._stalled: Awaitable[None] | None = None

    def start(self, status: int, headers: Headers) -> None:
        """Set the head; it goes out with the first bytes of the body."""
        self._head = {"type": "http.response.start", "status": status, "headers": headers}

    def write(self, data: bytes) -> bool:
        """Hand bytes on at once; false when the caller reads too slowly: `drain` before more."""
        return self._put({"type": "http.response.body", "body": data, "more_body": True})

    def end(self, data: bytes = b"") -> None:
        """The last bytes and the end of the body, together."""
        self._put({"type": "http.response.body", "body": data})

    async def drain(self) -> None:
        """Wait until what was written is on its way."""
        while self._stalled is not None:
            await self._stalled
            self._stalled = None
            queue, self._queue = self._queue, []
            for message in queue:
                self._step(message)

    async def receive(self) -> tuple[bytes, bool]:
        """The next piece of the request's body, and whether more is to come; the caller's going ends it."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The caller left before the end of the body.")
        return message.get("body", b""), message.get("more_body", False)

    async def left(self) -> None:
        """Return when the caller has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _put(self, message: Message) -> bool:
        if self._head is not None:
            head, self._head = self._head, None
            self.has_started = True
            self._step(head)
        return self._step(message)

    def _step(self, message: Message) -> bool:
        if self._stalled is not None:
            self._queue.append(message)
            return False
        sending = self._send(message)
        try:
            waiting = sending.send(None)
        except StopIteration:
            return True
        self._stalled = _rest(sending, waiting)
        return False


@types.coroutine
def _rest(sending: Coroutine[object, None, None], waiting: object) -> Generator[object, None, None]:
    """Go on with a coroutine that has been stepped once and waits for `waiting`, an asyncio future."""
    try:
        yield waiting
    except BaseException:
        sending.close()
        raise
    yield from sending
