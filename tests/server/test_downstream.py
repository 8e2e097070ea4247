"""A caller behind an ASGI server: what is written leaves at once, and what can't leave waits in order."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.core.errors import BadRequest
from satisfice.server.downstream import ASGIDownstream, Message


class _Server:
    """The two ends an ASGI server gives; what is sent while it is `full` waits."""

    def __init__(self, *inbox: Message) -> None:
        self.sent: list[Message] = []
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.fault: Exception | None = None
        self._inbox = list(inbox)

    async def receive(self) -> Message:
        return self._inbox.pop(0)

    async def send(self, message: Message) -> None:
        await self.has_room.wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def downstream(self) -> ASGIDownstream:
        return ASGIDownstream(self.receive, self.send)


async def test_the_head_leaves_with_the_first_bytes_and_all_at_once() -> None:
    server = _Server()
    downstream = server.downstream

    downstream.start(200, [(b"x", b"1")])
    assert ([], False) == (server.sent, downstream.has_started)
    assert downstream.write(b"a")
    assert downstream.has_started
    downstream.end(b"b")

    assert [
        {"type": "http.response.start", "status": 200, "headers": [(b"x", b"1")]},
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b"},
    ] == server.sent


async def test_a_head_that_is_not_out_yet_can_be_another() -> None:
    server = _Server()
    downstream = server.downstream

    downstream.start(200, [])
    downstream.start(500, [])
    downstream.end(b"bug")

    assert [500] == [message["status"] for message in server.sent if "status" in message]


async def test_what_a_slow_reader_cannot_take_waits_in_order() -> None:
    server = _Server()
    downstream = server.downstream
    downstream.start(200, [])
    assert downstream.write(b"1")

    server.has_room.clear()
    assert not downstream.write(b"2")
    assert not downstream.write(b"3")
    downstream.end(b"4")
    assert b"1" == server.body
    async with asyncio.TaskGroup() as group:
        draining = group.create_task(downstream.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        server.has_room.set()

    assert b"1234" == server.body


async def test_to_drain_waits_for_all_of_it_however_often_it_stalls() -> None:
    server = _Server()
    downstream = server.downstream
    server.has_room.clear()
    downstream.start(200, [])
    for piece in (b"1", b"2", b"3"):
        assert not downstream.write(piece)

    async with asyncio.TaskGroup() as group:
        draining = group.create_task(downstream.drain())
        for _ in range(3):
            await asyncio.sleep(0)
            # There is room for one message; then the reader is slow again.
            server.has_room.set()
            asyncio.get_running_loop().call_soon(server.has_room.clear)
            await asyncio.sleep(0)
        server.has_room.set()
        await draining

    assert b"123" == server.body
    assert downstream.write(b"4")


async def test_nothing_to_drain_takes_no_time() -> None:
    downstream = _Server().downstream

    async with asyncio.timeout(0):
        await downstream.drain()


async def test_a_drain_that_is_cancelled_gives_the_message_up() -> None:
    server = _Server()
    downstream = server.downstream
    server.has_room.clear()
    downstream.start(200, [])
    downstream.write(b"1")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await downstream.drain()
    server.has_room.set()
    await asyncio.sleep(0)

    assert [] == server.sent


async def test_a_fault_of_the_server_comes_out_where_it_is_waited_for() -> None:
    server = _Server()
    downstream = server.downstream
    server.fault = RuntimeError("gone")
    downstream.start(200, [])
    with pytest.raises(RuntimeError, match="gone"):
        downstream.write(b"1")

    server.has_room.clear()
    assert not downstream.write(b"2")
    server.has_room.set()
    with pytest.raises(RuntimeError, match="gone"):
        await downstream.drain()


async def test_the_body_comes_in_pieces() -> None:
    server = _Server(
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request"},
    )
    downstream = server.downstream

    assert [(b"a", True), (b"", True), (b"", False)] == [await downstream.receive() for _ in range(3)]


async def test_a_caller_who_leaves_in_the_body_has_asked_for_nothing() -> None:
    with pytest.raises(BadRequest, match="left before the end"):
        await _Server({"type": "http.disconnect"}).downstream.receive()


async def test_that_the_caller_has_left_is_told_once_it_is_so() -> None:
    server = _Server({"type": "http.request"}, {"type": "http.request"}, {"type": "http.disconnect"}, {"type": "more"})
    downstream = server.downstream

    await downstream.left()

    assert {"type": "more"} == await server.receive()
