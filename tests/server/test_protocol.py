"""A caller's connection, byte by byte: what uvicorn's protocol and ours make of it together.

The protocol relies on how uvicorn works inside: whatever a new uvicorn changes
of that, a test here is to fail.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from satisfice.core.clock import ManualClock
from satisfice.server.protocol import MAX_HEAD, CallerProtocol
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.build import a_body, an_offer
from tests.engine.stage import STREAM, WHOLE, Stage, a_stream
from tests.engine.virtual_time import VirtualLoop
from tests.server.conftest import HostOpener
from tests.server.front import Peer, a_stage, an_app, request
from tests.server.wire import Wire

_CHAT = "/v1/chat/completions"
_ASKING = request("POST", _CHAT, body=a_body())
_STREAMING = request("POST", _CHAT, body=a_body(stream=True))
_LOOKING = request("GET", "/health")
_WAITING = [("Expect", "100-continue")]
_WAYS = pytest.mark.parametrize("headers", [[], _WAITING], ids=["short", "ASGI"])
"""Who waits to be asked for the body takes the way of ASGI."""
_POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
_ODD = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no method": b"\r\nhello\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nhost : g\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nho\x00st: g\r\n\r\n",
    "no ASCII in the path": b"GET \xff\xfe HTTP/1.1\r\nhost: g\r\n\r\n",
    "no path": b"OPTIONS * HTTP/1.1\r\nhost: g\r\n\r\n",
    "no length": _POST + b"content-length: x\r\n\r\n",
    "two lengths": _POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "length and chunks": _POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "no chunk": _POST + b"transfer-encoding: chunked\r\n\r\nz\r\n",
    "no chunk, by ASGI": _POST + b"expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
}


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, type[VirtualLoop]]]:
    """No socket, and no time that passes for nothing."""
    return ("asyncio", {"loop_factory": VirtualLoop})


def _stage(*scripts: Script) -> Stage:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return Stage({"acme": scripts or WHOLE}, loop.clock)


def _wire(stage: Stage, *, token: str | None = None, timeout_keep_alive: float = 75) -> Wire:
    return Wire(an_app(stage.gateway, token=token), timeout_keep_alive=timeout_keep_alive)


@pytest.mark.parametrize("size", [1, 2, 17, 64])
async def test_a_request_may_come_in_any_pieces(size: int) -> None:
    wire = _wire(_stage())
    data = _ASKING + _LOOKING + request("POST", _CHAT, pieces=[a_body()[:9], a_body()[9:]])

    await wire.feed(*(data[start : start + size] for start in range(0, len(data), size)))

    assert [200, 200, 200] == [reply.status for reply in wire.replies]
    assert not wire.is_closed


async def test_requests_follow_each_other_on_one_connection() -> None:
    stage = _stage()
    wire = _wire(stage)

    for count in range(1, 6):
        await wire.feed(_ASKING if count % 2 else _LOOKING)
        assert count == len(wire.replies)
        assert count == wire.state.total_requests

    assert 3 == len(stage.tried)
    assert not wire.is_closed
    assert set() == wire.state.tasks


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    slow = Script().wait(3.0).then(*STREAM.steps)
    stage = _stage(slow, WHOLE)
    wire = _wire(stage)

    await wire.feed(_STREAMING + _LOOKING + _ASKING + request("GET", "/nowhere"))
    assert b"" == wire.written
    assert not wire.transport.is_reading
    await asyncio.sleep(4.0)

    streamed, healthy, whole, unknown = wire.replies
    assert [200, 200, 200, 404] == [streamed.status, healthy.status, whole.status, unknown.status]
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert b'"status":"ok"' in healthy.body
    assert b'"Hi"' in whole.body
    assert wire.transport.is_reading


async def test_an_answer_has_the_fields_of_the_server() -> None:
    wire = _wire(_stage())
    wire.state.default_headers = [(b"date", b"today"), (b"x-of-the-server", b"1")]

    await wire.feed(_ASKING)

    (reply,) = wire.replies
    assert ["today", "1"] == [reply.header("date"), reply.header("x-of-the-server")]
    assert None is reply.header("connection")
    assert str(len(reply.body)) == reply.header("content-length")
    assert 1 == len(wire.transport.pieces)


async def test_a_stream_is_chunked_and_its_terminator_comes_with_the_end() -> None:
    wire = _wire(_stage(STREAM))

    await wire.feed(_STREAMING)

    (reply,) = wire.replies
    assert "chunked" == reply.header("transfer-encoding")
    assert reply.is_whole
    assert wire.transport.pieces[-1].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert not wire.is_closed


async def test_a_request_to_close_is_obeyed() -> None:
    wire = _wire(_stage())

    await wire.feed(request("POST", _CHAT, headers=[("Connection", "close")], body=a_body()))

    (reply,) = wire.replies
    assert "close" == reply.header("connection")
    assert reply.is_whole
    assert wire.is_closed


async def test_a_caller_of_http_1_0_gets_an_answer_it_can_read() -> None:
    wire = _wire(_stage())

    await wire.feed(request("POST", _CHAT, body=a_body(), version="1.0"))

    (reply,) = wire.replies
    assert str(len(reply.body)) == reply.header("content-length")
    assert "close" == reply.header("connection")
    assert wire.is_closed


async def test_a_stream_in_http_1_0_ends_with_the_connection() -> None:
    """RFC 9112 section 6.1: chunks are nothing that such a caller knows."""
    wire = _wire(_stage(STREAM))

    await wire.feed(request("POST", _CHAT, body=a_body(stream=True), version="1.0"))

    head, _, body = wire.written.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")
    assert wire.is_closed


@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions?api-version=1", "http://gateway/v1/chat/completions", "/v1/chat%2Fcompletions"],
)
async def test_a_path_may_be_written_in_several_ways(path: str) -> None:
    stage = _stage()
    wire = _wire(stage)

    await wire.feed(request("POST", path, body=a_body()))

    assert [200] == [reply.status for reply in wire.replies]
    assert ["acme"] == stage.tried


async def test_a_caller_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    head, _, body = request("POST", _CHAT, headers=_WAITING, body=a_body()).partition(b"\r\n\r\n")
    wire = _wire(_stage())

    await wire.feed(head + b"\r\n\r\n")
    assert b"HTTP/1.1 100 Continue\r\n\r\n" == wire.written
    await wire.feed(body)

    assert [100, 200] == [reply.status for reply in wire.replies]


async def test_a_caller_whose_body_is_too_large_is_not_asked_for_it() -> None:
    wire = _wire(_stage())

    await wire.feed(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n"
    )

    assert [413] == [reply.status for reply in wire.replies]


async def test_an_offer_to_upgrade_is_not_taken() -> None:
    """Java's client makes one with every request."""
    headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")]
    wire = _wire(_stage())

    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body()))

    assert [200] == [reply.status for reply in wire.replies]


async def test_a_caller_with_a_wrong_token_is_not_read_to_the_end() -> None:
    wire = _wire(_stage(), token="sk-right")
    head, _, body = request("POST", _CHAT, headers=[("x-api-key", "wrong")], body=a_body()).partition(b"\r\n\r\n")

    await wire.feed(head + b"\r\n\r\n")
    assert [401] == [reply.status for reply in wire.replies]
    await wire.feed(body, request("POST", _CHAT, headers=[("x-api-key", "sk-right")], body=a_body()))

    assert [401, 200] == [reply.status for reply in wire.replies]


async def test_a_head_of_64_kib_is_read() -> None:
    wire = _wire(_stage())

    await wire.feed(_headed(MAX_HEAD - 200))

    assert [200] == [reply.status for reply in wire.replies]


@pytest.mark.parametrize("size", [500, 9_000, 1 << 20], ids=["small reads", "some reads", "one read"])
@pytest.mark.parametrize("path", [_CHAT, "/health"])
async def test_a_larger_head_is_refused(path: str, size: int) -> None:
    stage = _stage()
    wire = _wire(stage)
    data = _headed(MAX_HEAD + 200, path)

    await wire.feed(*(data[start : start + size] for start in range(0, len(data), size)))

    (reply,) = wire.replies
    assert (431, "close") == (reply.status, reply.header("connection"))
    assert b"The header fields are larger than 64 KiB\n" == reply.body
    assert reply.is_whole
    assert wire.is_closed
    assert [] == stage.tried


async def test_a_head_without_end_is_refused() -> None:
    wire = _wire(_stage())

    await wire.feed(b"GET / HTTP/1.1\r\nx: ", *[b"x" * 1_000] * 100)

    assert [431] == [reply.status for reply in wire.replies]
    assert wire.is_closed


async def test_a_large_body_is_no_part_of_the_head_behind_it() -> None:
    """The end of one request and the beginning of the next may come in one read."""
    large = request("POST", _CHAT, body=a_body(prompt="x" * 200_000))
    wire = _wire(_stage())

    await wire.feed(large[:300], large[300:] + _LOOKING[:20], _LOOKING[20:])

    assert [200, 200] == [reply.status for reply in wire.replies]


async def test_a_body_over_the_limit_is_answered_at_once_and_the_rest_passed_over() -> None:
    stage = _stage()
    wire = _wire(stage)
    pieces = [b"x" * 65_000] * 20
    data = request("POST", _CHAT, pieces=pieces)

    await wire.feed(data[: 17 * 65_100])
    assert [413] == [reply.status for reply in wire.replies]
    await wire.feed(data[17 * 65_100 :] + _ASKING)

    assert [413, 200] == [reply.status for reply in wire.replies]
    assert 1 == len(stage.tried)


async def test_a_body_over_the_limit_in_one_read_is_answered_once() -> None:
    wire = _wire(_stage())

    await wire.feed(request("POST", _CHAT, pieces=[b"x" * (2 << 20)]))

    assert [413] == [reply.status for reply in wire.replies]


@pytest.mark.parametrize("data", _ODD.values(), ids=_ODD.keys())
async def test_what_is_no_http_is_told_so(data: bytes) -> None:
    stage = _stage()
    wire = _wire(stage)

    await wire.feed(data)

    assert 400 == wire.replies[0].status
    assert wire.is_closed
    assert [] == stage.tried
    assert set() == wire.state.tasks


@pytest.mark.parametrize("odd", [b"\x00\x01", _LOOKING + b"\x00", b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000])
async def test_nothing_is_written_into_an_answer_that_is_under_way(odd: bytes) -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)
    await wire.feed(_STREAMING)
    before = wire.written

    await wire.feed(odd)

    assert before == wire.written
    assert wire.is_closed
    await asyncio.sleep(1.0)
    assert [Ending.ABORTED] == stage.endings


async def test_what_follows_a_refused_request_is_not_read() -> None:
    stage = _stage()
    wire = _wire(stage)

    await wire.feed(b"\x00 garbage\r\n\r\n" + _ASKING, _ASKING)

    assert [400] == [reply.status for reply in wire.replies]
    assert [] == stage.tried


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    wire = _wire(_stage(), timeout_keep_alive=5)

    await wire.feed(_ASKING)
    await asyncio.sleep(4.9)
    assert not wire.is_closed
    await asyncio.sleep(0.2)

    assert wire.is_closed


@pytest.mark.parametrize("asking", [_ASKING, _LOOKING], ids=["short", "ASGI"])
async def test_each_request_begins_the_while_anew(asking: bytes) -> None:
    wire = _wire(_stage(), timeout_keep_alive=5)

    for _ in range(5):
        await wire.feed(asking)
        await asyncio.sleep(4.0)
        assert not wire.is_closed
    await asyncio.sleep(1.1)

    assert 5 == len(wire.replies)
    assert wire.is_closed


@pytest.mark.parametrize(
    "asking",
    [_STREAMING, request("POST", _CHAT, headers=_WAITING, body=a_body(stream=True))],
    ids=["short", "ASGI"],
)
async def test_a_connection_is_not_idle_while_it_waits_for_an_answer(asking: bytes) -> None:
    wire = _wire(_stage(WHOLE, Script().wait(30.0).then(*STREAM.steps)), timeout_keep_alive=5)
    await wire.feed(_ASKING)

    await wire.feed(asking)
    await asyncio.sleep(31.0)

    assert wire.replies[-1].is_whole
    assert not wire.is_closed


async def test_half_a_head_is_no_idleness_but_its_silence_does_not_last_for_ever() -> None:
    wire = _wire(_stage(Script().wait(1.0).then(*WHOLE.steps)), timeout_keep_alive=5)

    await wire.feed(_ASKING + _LOOKING[:9])
    await asyncio.sleep(5.5)
    assert not wire.is_closed
    await asyncio.sleep(1.0)

    assert wire.is_closed


async def test_a_request_that_was_answered_before_it_was_whole_leaves_the_connection_idle() -> None:
    wire = _wire(_stage(), token="sk-right", timeout_keep_alive=5)
    head, _, body = _ASKING.partition(b"\r\n\r\n")

    await wire.feed(head + b"\r\n\r\n", body[:5])
    await wire.feed(body[5:])
    await asyncio.sleep(5.1)

    assert [401] == [reply.status for reply in wire.replies]
    assert wire.is_closed


async def test_many_requests_need_one_timer() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    wire = _wire(_stage(), timeout_keep_alive=5)

    for _ in range(20):
        await wire.feed(_ASKING)
    await asyncio.sleep(0.3)  # the sweep's own timer is over then
    assert 1 == loop.timers
    await wire.lose()

    assert 0 == loop.timers


@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["closed", "reset"])
async def test_a_caller_who_leaves_stops_the_upstream(error: Exception | None) -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)

    await wire.feed(_STREAMING)
    await asyncio.sleep(1.0)
    assert 1 == stage.gateway.open_calls
    await wire.lose(error)

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left
    assert (set(), set()) == (wire.state.tasks, wire.state.connections)


async def test_a_caller_who_leaves_early_is_noticed_soon() -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)

    await wire.feed(_STREAMING)
    await wire.lose()
    await asyncio.sleep(0.5)

    assert [Ending.ABORTED] == stage.endings


@pytest.mark.parametrize("behind", [_ASKING, _LOOKING])
async def test_a_request_that_waits_behind_does_not_hide_that_the_caller_has_left(behind: bytes) -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)

    await wire.feed(_STREAMING + behind)
    await asyncio.sleep(1.0)
    await wire.lose()

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left


async def test_a_caller_who_leaves_on_the_way_of_asgi_stops_the_upstream() -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)

    await wire.feed(request("POST", _CHAT, headers=_WAITING, body=a_body(stream=True)))
    await asyncio.sleep(1.0)
    await wire.lose()

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left


@_WAYS
async def test_a_caller_who_leaves_in_the_body_has_asked_for_nothing(headers: list[tuple[str, str]]) -> None:
    stage = _stage()
    wire = _wire(stage)

    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body())[:-5])
    await wire.lose()

    assert [] == stage.tried
    assert set() == wire.state.tasks


async def test_a_caller_who_leaves_after_the_answer_has_not_left_it() -> None:
    stage = _stage()
    wire = _wire(stage)

    await wire.feed(_ASKING)
    await wire.lose()

    assert stage.seen.is_complete
    assert not stage.seen.has_left


async def test_what_is_still_said_to_a_caller_who_has_left_is_dropped() -> None:
    """It may take half a second until a call learns of it."""
    stage = _stage(a_stream().drip(0.05).say(" x" * 5).done())
    wire = _wire(stage)

    await wire.feed(_STREAMING)
    await wire.lose()
    before = wire.written
    await asyncio.sleep(1.0)

    assert before == wire.written
    assert [Ending.ENDED] == stage.endings


@_WAYS
async def test_a_slow_reader_makes_the_upstream_wait(headers: list[tuple[str, str]]) -> None:
    stage = _stage(a_stream().drip(0.1).say(" x" * 50).done())
    wire = _wire(stage)

    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)
    while_paused = len(wire.written)
    await asyncio.sleep(30.0)
    assert while_paused == len(wire.written)
    assert 1 == stage.gateway.open_calls
    wire.protocol.resume_writing()
    await asyncio.sleep(30.0)

    assert wire.replies[-1].is_whole
    assert 53 == wire.replies[-1].body.count(b"data: ")
    assert stage.seen.is_complete


@_WAYS
async def test_a_slow_reader_who_leaves_stops_the_upstream(headers: list[tuple[str, str]]) -> None:
    stage = _stage(a_stream().drip(0.1).say(" x" * 50).stall())
    wire = _wire(stage)

    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)
    await wire.lose(ConnectionResetError())

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left
    assert set() == wire.state.tasks


@_WAYS
async def test_a_whole_answer_to_a_slow_reader_is_over_when_it_is_out(headers: list[tuple[str, str]]) -> None:
    stage = _stage(Script().wait(1.0).then(*WHOLE.steps))
    wire = _wire(stage)

    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body()))
    wire.protocol.pause_writing()
    await asyncio.sleep(2.0)
    assert 1 == len(wire.state.tasks)
    wire.protocol.resume_writing()
    await wire.quiet()

    assert [200] == [reply.status for reply in wire.replies if reply.status != 100]
    assert set() == wire.state.tasks


async def test_an_idle_connection_is_closed_when_the_server_stops() -> None:
    wire = _wire(_stage())
    await wire.feed(_ASKING)

    wire.protocol.shutdown()

    assert wire.is_closed


async def test_a_call_under_way_may_end_when_the_server_stops() -> None:
    wire = _wire(_stage(Script().wait(3.0).then(*STREAM.steps)))
    await wire.feed(_STREAMING)

    wire.protocol.shutdown()
    await asyncio.sleep(3.1)

    (reply,) = wire.replies
    assert reply.is_whole
    assert "close" == reply.header("connection")
    assert wire.is_closed


@_WAYS
async def test_a_stream_that_is_cut_off_ends_with_an_error(headers: list[tuple[str, str]]) -> None:
    stage = _stage(a_stream().stall())
    wire = _wire(stage)
    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body(stream=True)))

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
    stage = _stage(Script().stall())
    wire = _wire(stage)
    await wire.feed(request("POST", _CHAT, headers=headers, body=a_body()))

    wire.protocol.shutdown()
    for task in wire.state.tasks:
        task.cancel()
    await wire.quiet()

    reply = wire.replies[-1]
    assert 503 == reply.status
    assert "draining" == reply.error["code"]
    assert wire.is_closed


async def test_a_call_cut_off_amid_a_slow_reader_drops_the_connection() -> None:
    stage = _stage(a_stream().drip(0.1).say(" x" * 50).done())
    wire = _wire(stage)
    await wire.feed(request("POST", _CHAT, headers=_WAITING, body=a_body(stream=True)))
    wire.protocol.pause_writing()
    await asyncio.sleep(3.0)

    for task in wire.state.tasks:
        task.cancel()
    await wire.quiet()

    assert not wire.replies[-1].is_whole
    assert wire.is_closed


def test_what_we_override_is_there() -> None:
    """A name that uvicorn gives up would be called by nobody."""
    own = {
        name
        for name, value in vars(CallerProtocol).items()
        if inspect.isfunction(value) and not hasattr(HttpToolsProtocol, name)
    }

    assert {"_arm", "_head_size", "_is_amid_answer", "_refuse_head", "_rest"} == own


def test_we_use_no_name_of_our_own_that_is_also_uvicorns() -> None:
    protocol = HttpToolsProtocol.__init__.__code__.co_names
    ours = {name for name in vars(CallerProtocol) if not name.startswith("__")} | {"satisfice"}
    overridden = {name for name in ours if hasattr(HttpToolsProtocol, name)}

    assert set() == (ours - overridden) & set(protocol)


async def test_our_request_is_all_that_uvicorn_wants_of_one() -> None:
    """It sets and reads these of the last request of a connection, whosesoever it is."""
    wire = _wire(_stage(a_stream().stall()))
    await wire.feed(_STREAMING)
    caller = wire.protocol.cycle

    assert not isinstance(caller, RequestResponseCycle)
    assert (True, False, False, True) == (
        caller.response_started,
        caller.response_complete,
        caller.disconnected,
        caller.keep_alive,
    )
    source = inspect.getsource(HttpToolsProtocol)
    used = {name for name in dir(RequestResponseCycle) if f"self.cycle.{name}" in source}
    assigned = {"body", "more_body", "message_event", "response_complete", "disconnected", "keep_alive"}
    mentioned = {name for name in assigned if f"self.cycle.{name}" in source}
    assert used | mentioned <= assigned
    await wire.lose()
