"""A caller on the short way, and for comparison on that of ASGI: what is written, slow readers, leaving, the end."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.build import a_body
from tests.engine.stage import STREAM, WHOLE, a_stream
from tests.engine.virtual_time import VirtualLoop
from tests.server.front import request
from tests.server.wire import ASKING, CHAT, LOOKING, STREAMING, WAITING, a_virtual_stage, a_wire

_WAYS = pytest.mark.parametrize("headers", [[], WAITING], ids=["short", "ASGI"])
"""Who waits to be asked for the body takes the way of ASGI."""


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, type[VirtualLoop]]]:
    """No socket, and no time that passes for nothing."""
    return ("asyncio", {"loop_factory": VirtualLoop})


async def test_an_answer_has_the_fields_of_the_server() -> None:
    wire = a_wire(a_virtual_stage())
    wire.state.default_headers = [(b"date", b"today"), (b"x-of-the-server", b"1")]

    await wire.feed(ASKING)

    (reply,) = wire.replies
    assert ["today", "1"] == [reply.header("date"), reply.header("x-of-the-server")]
    assert None is reply.header("connection")
    assert str(len(reply.body)) == reply.header("content-length")
    assert 1 == len(wire.transport.pieces)


async def test_a_stream_is_chunked_and_its_terminator_comes_with_the_end() -> None:
    wire = a_wire(a_virtual_stage(STREAM))

    await wire.feed(STREAMING)

    (reply,) = wire.replies
    assert "chunked" == reply.header("transfer-encoding")
    assert reply.is_whole
    assert wire.transport.pieces[-1].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert not wire.is_closed


async def test_a_request_to_close_is_obeyed() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(request("POST", CHAT, headers=[("Connection", "close")], body=a_body()))

    (reply,) = wire.replies
    assert "close" == reply.header("connection")
    assert reply.is_whole
    assert wire.is_closed


async def test_a_caller_of_http_1_0_gets_an_answer_it_can_read() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(request("POST", CHAT, body=a_body(), version="1.0"))

    (reply,) = wire.replies
    assert str(len(reply.body)) == reply.header("content-length")
    assert "close" == reply.header("connection")
    assert wire.is_closed


async def test_a_stream_in_http_1_0_ends_with_the_connection() -> None:
    """RFC 9112 section 6.1: chunks are nothing that such a caller knows."""
    wire = a_wire(a_virtual_stage(STREAM))

    await wire.feed(request("POST", CHAT, body=a_body(stream=True), version="1.0"))

    head, _, body = wire.written.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")
    assert wire.is_closed


async def test_a_body_over_the_limit_is_answered_at_once_and_the_rest_passed_over() -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)
    pieces = [b"x" * 65_000] * 20
    data = request("POST", CHAT, pieces=pieces)

    await wire.feed(data[: 17 * 65_100])
    assert [413] == [reply.status for reply in wire.replies]
    await wire.feed(data[17 * 65_100 :] + ASKING)

    assert [413, 200] == [reply.status for reply in wire.replies]
    assert 1 == len(stage.tried)


async def test_a_body_over_the_limit_in_one_read_is_answered_once() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(request("POST", CHAT, pieces=[b"x" * (2 << 20)]))

    assert [413] == [reply.status for reply in wire.replies]


async def test_a_request_that_was_answered_before_it_was_whole_leaves_the_connection_idle() -> None:
    wire = a_wire(a_virtual_stage(), token="sk-right", timeout_keep_alive=5)
    head, _, body = ASKING.partition(b"\r\n\r\n")

    await wire.feed(head + b"\r\n\r\n", body[:5])
    await wire.feed(body[5:])
    await asyncio.sleep(5.1)

    assert [401] == [reply.status for reply in wire.replies]
    assert wire.is_closed


async def test_all_requests_of_a_connection_are_answered_by_one_task_which_ends_with_it() -> None:
    wire = a_wire(a_virtual_stage(WHOLE, WHOLE, WHOLE))
    before = asyncio.all_tasks()
    workers = []

    for _ in range(3):
        await wire.feed(ASKING)
        workers.append(asyncio.all_tasks() - before)
        assert set() == wire.state.tasks

    assert [200, 200, 200] == [reply.status for reply in wire.replies]
    assert 1 == len(workers[0])
    assert workers[0] == workers[1] == workers[2]
    await wire.lose(None)
    assert set() == asyncio.all_tasks() - before


async def test_a_connection_whose_task_was_cut_off_is_served_by_another() -> None:
    wire = a_wire(a_virtual_stage(WHOLE, WHOLE))
    before = asyncio.all_tasks()
    await wire.feed(ASKING)
    (worker,) = asyncio.all_tasks() - before

    worker.cancel()
    await wire.quiet()
    await wire.feed(ASKING)

    assert worker.cancelled()
    assert [200, 200] == [reply.status for reply in wire.replies]


@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["closed", "reset"])
async def test_a_caller_who_leaves_stops_the_upstream(error: Exception | None) -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)

    await wire.feed(STREAMING)
    await asyncio.sleep(1.0)
    assert 1 == stage.gateway.open_calls
    await wire.lose(error)

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left
    assert (set(), set()) == (wire.state.tasks, wire.state.connections)


async def test_a_caller_who_leaves_early_is_noticed_soon() -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)

    await wire.feed(STREAMING)
    await wire.lose()
    await asyncio.sleep(0.5)

    assert [Ending.ABORTED] == stage.endings


@pytest.mark.parametrize("behind", [ASKING, LOOKING])
async def test_a_request_that_waits_behind_does_not_hide_that_the_caller_has_left(behind: bytes) -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)

    await wire.feed(STREAMING + behind)
    await asyncio.sleep(1.0)
    await wire.lose()

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left


async def test_a_caller_who_leaves_on_the_way_of_asgi_stops_the_upstream() -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=WAITING, body=a_body(stream=True)))
    await asyncio.sleep(1.0)
    await wire.lose()

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left


@_WAYS
async def test_a_caller_who_leaves_in_the_body_has_asked_for_nothing(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=headers, body=a_body())[:-5])
    await wire.lose()

    assert [] == stage.tried
    assert set() == wire.state.tasks


async def test_a_caller_who_leaves_after_the_answer_has_not_left_it() -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(ASKING)
    await wire.lose()

    assert stage.seen.is_complete
    assert not stage.seen.has_left


async def test_what_is_still_said_to_a_caller_who_has_left_is_dropped() -> None:
    """It may take half a second until a call learns of it."""
    stage = a_virtual_stage(a_stream().drip(0.05).say(" x" * 5).done())
    wire = a_wire(stage)

    await wire.feed(STREAMING)
    await wire.lose()
    before = wire.written
    await asyncio.sleep(1.0)

    assert before == wire.written
    assert [Ending.ENDED] == stage.endings


@_WAYS
async def test_a_slow_reader_makes_the_upstream_wait(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage(a_stream().drip(0.1).say(" x" * 50).done())
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=headers, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)
    while_paused = len(wire.written)
    await asyncio.sleep(30.0)
    assert while_paused == len(wire.written)
    assert 1 == stage.gateway.open_calls
    wire.protocol.resume_writing()
    await asyncio.sleep(30.0)

    assert wire.replies[-1].is_whole
    assert 54 == wire.replies[-1].body.count(b"data: ")
    assert stage.seen.is_complete


@_WAYS
async def test_a_slow_reader_who_leaves_stops_the_upstream(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage(a_stream().drip(0.1).say(" x" * 50).stall())
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=headers, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)
    await wire.lose(ConnectionResetError())

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left
    assert set() == wire.state.tasks


@_WAYS
async def test_a_whole_answer_to_a_slow_reader_is_over_when_it_is_out(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage(Script().wait(1.0).then(*WHOLE.steps))
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=headers, body=a_body()))
    wire.protocol.pause_writing()
    await asyncio.sleep(2.0)
    assert 1 == len(wire.state.tasks)
    wire.protocol.resume_writing()
    await wire.quiet()

    assert [200] == [reply.status for reply in wire.replies if reply.status != 100]
    assert set() == wire.state.tasks


async def test_an_idle_connection_is_closed_when_the_server_stops() -> None:
    wire = a_wire(a_virtual_stage())
    await wire.feed(ASKING)

    wire.protocol.shutdown()

    assert wire.is_closed


async def test_a_call_under_way_may_end_when_the_server_stops() -> None:
    wire = a_wire(a_virtual_stage(Script().wait(3.0).then(*STREAM.steps)))
    await wire.feed(STREAMING)

    wire.protocol.shutdown()
    await asyncio.sleep(3.1)

    (reply,) = wire.replies
    assert reply.is_whole
    assert "close" == reply.header("connection")
    assert wire.is_closed


@_WAYS
async def test_a_stream_that_is_cut_off_ends_with_an_error(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)
    await wire.feed(request("POST", CHAT, headers=headers, body=a_body(stream=True)))

    wire.protocol.shutdown()
    for task in wire.state.tasks:
        task.cancel()
    await wire.quiet()

    reply = wire.replies[-1]
    assert b"The gateway is stopping." in reply.body
    assert b"[DONE]" not in reply.body
    assert reply.is_whole
    assert wire.is_closed
    assert [Ending.ABORTED] == stage.endings


@_WAYS
async def test_a_call_that_has_nothing_yet_is_told_when_it_is_cut_off(headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage(Script().stall())
    wire = a_wire(stage)
    await wire.feed(request("POST", CHAT, headers=headers, body=a_body()))

    wire.protocol.shutdown()
    for task in wire.state.tasks:
        task.cancel()
    await wire.quiet()

    reply = wire.replies[-1]
    assert 503 == reply.status
    assert "draining" == reply.error["code"]
    assert wire.is_closed


async def test_a_call_cut_off_amid_a_slow_reader_drops_the_connection() -> None:
    stage = a_virtual_stage(a_stream().drip(0.1).say(" x" * 50).done())
    wire = a_wire(stage)
    await wire.feed(request("POST", CHAT, headers=WAITING, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)

    for task in wire.state.tasks:
        task.cancel()
    await wire.quiet()

    assert not wire.replies[-1].is_whole
    assert wire.is_closed
