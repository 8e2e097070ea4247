"""A caller's connection: which way a request takes, what is no request, and how long nothing may happen.

The protocol relies on how uvicorn works inside: whatever a new uvicorn changes
of that, a test here is to fail.
"""

from __future__ import annotations

import asyncio
import inspect
import re

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from satisfice.server.protocol import MAX_HEAD, CallerProtocol
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.build import a_body
from tests.engine.stage import STREAM, WHOLE, a_stream
from tests.engine.virtual_time import VirtualLoop
from tests.server.front import request
from tests.server.wire import ASKING, CHAT, LOOKING, STREAMING, WAITING, a_virtual_stage, a_wire

_POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
_ODD = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no method": b"\r\nhello\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nhost : g\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nho\x00st: g\r\n\r\n",
    "no ASCII in the path": b"GET \xff\xfe HTTP/1.1\r\nhost: g\r\n\r\n",
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


@pytest.mark.parametrize("size", [1, 2, 17, 64])
async def test_a_request_may_come_in_any_pieces(size: int) -> None:
    wire = a_wire(a_virtual_stage())
    data = ASKING + LOOKING + request("POST", CHAT, pieces=[a_body()[:9], a_body()[9:]])

    await wire.feed(*(data[start : start + size] for start in range(0, len(data), size)))

    assert [200, 200, 200] == [reply.status for reply in wire.replies]
    assert not wire.is_closed


async def test_requests_follow_each_other_on_one_connection() -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    for count in range(1, 6):
        await wire.feed(ASKING if count % 2 else LOOKING)
        assert count == len(wire.replies)
        assert count == wire.state.total_requests

    assert 3 == len(stage.tried)
    assert not wire.is_closed
    assert set() == wire.state.tasks


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    slow = Script().wait(3.0).then(*STREAM.steps)
    stage = a_virtual_stage(slow, WHOLE)
    wire = a_wire(stage)

    await wire.feed(STREAMING + LOOKING + ASKING + request("GET", "/nowhere"))
    assert b"" == wire.written
    assert not wire.transport.has_room
    await asyncio.sleep(4.0)

    streamed, healthy, whole, unknown = wire.replies
    assert [200, 200, 200, 404] == [streamed.status, healthy.status, whole.status, unknown.status]
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert b'"status":"ok"' in healthy.body
    assert b'"Hi"' in whole.body
    assert wire.transport.has_room


@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions?api-version=1", "http://gateway/v1/chat/completions", "/v1/chat%2Fcompletions"],
)
async def test_a_path_may_be_written_in_several_ways(path: str) -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(request("POST", path, body=a_body()))

    assert [200] == [reply.status for reply in wire.replies]
    assert ["acme"] == stage.tried


async def test_a_caller_who_waits_to_be_asked_for_the_body_is_asked() -> None:
    head, _, body = request("POST", CHAT, headers=WAITING, body=a_body()).partition(b"\r\n\r\n")
    wire = a_wire(a_virtual_stage())

    await wire.feed(head + b"\r\n\r\n")
    assert b"HTTP/1.1 100 Continue\r\n\r\n" == wire.written
    await wire.feed(body)

    assert [100, 200] == [reply.status for reply in wire.replies]


async def test_a_caller_whose_body_is_too_large_is_not_asked_for_it() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n"
    )

    assert [413] == [reply.status for reply in wire.replies]


async def test_an_offer_to_upgrade_is_not_taken() -> None:
    """Java's client makes one with every request."""
    headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")]
    wire = a_wire(a_virtual_stage())

    await wire.feed(request("POST", CHAT, headers=headers, body=a_body()))

    assert [200] == [reply.status for reply in wire.replies]


async def test_a_caller_with_a_wrong_token_is_not_read_to_the_end() -> None:
    wire = a_wire(a_virtual_stage(), token="sk-right")
    head, _, body = request("POST", CHAT, headers=[("x-api-key", "wrong")], body=a_body()).partition(b"\r\n\r\n")

    await wire.feed(head + b"\r\n\r\n")
    assert [401] == [reply.status for reply in wire.replies]
    await wire.feed(body, request("POST", CHAT, headers=[("x-api-key", "sk-right")], body=a_body()))

    assert [401, 200] == [reply.status for reply in wire.replies]


async def test_a_body_that_nobody_reads_does_not_stop_the_connection() -> None:
    wire = a_wire(a_virtual_stage(), token="sk-right")
    refused = request("POST", CHAT, body=a_body(prompt="x" * 300_000))
    right = request("POST", CHAT, headers=[("x-api-key", "sk-right")], body=a_body())

    await wire.feed(*(refused[start : start + 65_536] for start in range(0, len(refused), 65_536)))
    assert wire.transport.has_room
    await wire.feed(right)

    assert [401, 200] == [reply.status for reply in wire.replies]


async def test_a_head_of_64_kib_is_read() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(_headed(MAX_HEAD - 200))

    assert [200] == [reply.status for reply in wire.replies]


@pytest.mark.parametrize("size", [500, 9_000, 1 << 20], ids=["small reads", "some reads", "one read"])
@pytest.mark.parametrize("path", [CHAT, "/health"])
async def test_a_larger_head_is_refused(path: str, size: int) -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)
    data = _headed(MAX_HEAD + 200, path)

    await wire.feed(*(data[start : start + size] for start in range(0, len(data), size)))

    (reply,) = wire.replies
    assert (431, "close") == (reply.status, reply.header("connection"))
    assert b'"code":"head_too_large"' in reply.body
    assert reply.is_whole
    assert wire.is_closed
    assert [] == stage.tried


async def test_a_head_without_end_is_refused() -> None:
    wire = a_wire(a_virtual_stage())

    await wire.feed(b"GET / HTTP/1.1\r\nx: ", *[b"x" * 1_000] * 100)

    assert [431] == [reply.status for reply in wire.replies]
    assert wire.is_closed


@pytest.mark.parametrize("headers", [[], WAITING], ids=["short", "ASGI"])
@pytest.mark.parametrize("endless", [b"x: y\r\n" * 200, b"x" * 1_000], ids=["many fields", "one field"])
async def test_fields_behind_a_body_without_end_are_refused(endless: bytes, headers: list[tuple[str, str]]) -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(request("POST", CHAT, headers=headers, pieces=[a_body()])[:-2], *[endless] * 100)

    assert 400 == wire.replies[-1].status
    assert wire.is_closed
    assert [] == stage.tried


@pytest.mark.parametrize("headers", [[], WAITING], ids=["short", "ASGI"])
async def test_a_field_behind_the_body_is_no_field_of_the_head(headers: list[tuple[str, str]]) -> None:
    """Nobody has looked at it before it comes: neither the limits nor the token."""
    stage = a_virtual_stage()
    wire = a_wire(stage)
    fields = [("x-before", "1"), *headers]

    await wire.feed(request("POST", CHAT, headers=fields, pieces=[a_body()])[:-2] + b"x-behind: 1\r\n\r\n")

    assert 200 == wire.replies[-1].status
    assert [(b"x-before", b"1")] == stage.transport.sent[0].sending.headers


async def test_a_body_in_tiny_chunks_is_read() -> None:
    """There may be more framing than body in it, but some of it is body."""
    stage = a_virtual_stage()
    body = a_body(prompt="x" * 20_000)
    wire = a_wire(stage)
    data = request("POST", CHAT, pieces=[body[start : start + 1] for start in range(len(body))])

    await wire.feed(*(data[start : start + 4_096] for start in range(0, len(data), 4_096)))

    assert [200] == [reply.status for reply in wire.replies]
    assert body == stage.transport.sent[0].sending.body


async def test_a_large_body_is_no_part_of_the_head_behind_it() -> None:
    """The end of one request and the beginning of the next may come in one read."""
    large = request("POST", CHAT, body=a_body(prompt="x" * 200_000))
    wire = a_wire(a_virtual_stage())

    await wire.feed(large[:300], large[300:] + LOOKING[:20], LOOKING[20:])

    assert [200, 200] == [reply.status for reply in wire.replies]


@pytest.mark.parametrize("data", _ODD.values(), ids=_ODD.keys())
async def test_what_is_no_http_is_told_so(data: bytes) -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(data)

    assert 400 == wire.replies[0].status
    assert wire.is_closed
    assert [] == stage.tried
    assert set() == wire.state.tasks


@pytest.mark.parametrize("odd", [b"\x00\x01", LOOKING + b"\x00", b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000])
async def test_nothing_is_written_into_an_answer_that_is_under_way(odd: bytes) -> None:
    stage = a_virtual_stage(a_stream().stall())
    wire = a_wire(stage)
    await wire.feed(STREAMING)
    before = wire.written

    await wire.feed(odd)

    assert before == wire.written
    assert wire.is_closed
    await asyncio.sleep(1.0)
    assert [Ending.ABORTED] == stage.endings


async def test_what_follows_a_refused_request_is_not_read() -> None:
    stage = a_virtual_stage()
    wire = a_wire(stage)

    await wire.feed(b"\x00 garbage\r\n\r\n" + ASKING, ASKING)

    assert [400] == [reply.status for reply in wire.replies]
    assert [] == stage.tried


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    wire = a_wire(a_virtual_stage(), timeout_keep_alive=5)

    await wire.feed(ASKING)
    await asyncio.sleep(4.9)
    assert not wire.is_closed
    await asyncio.sleep(0.2)

    assert wire.is_closed


@pytest.mark.parametrize("asking", [ASKING, LOOKING], ids=["short", "ASGI"])
async def test_each_request_begins_the_while_anew(asking: bytes) -> None:
    wire = a_wire(a_virtual_stage(), timeout_keep_alive=5)

    for _ in range(5):
        await wire.feed(asking)
        await asyncio.sleep(4.0)
        assert not wire.is_closed
    await asyncio.sleep(1.1)

    assert 5 == len(wire.replies)
    assert wire.is_closed


@pytest.mark.parametrize(
    "asking",
    [STREAMING, request("POST", CHAT, headers=WAITING, body=a_body(stream=True))],
    ids=["short", "ASGI"],
)
async def test_a_connection_is_not_idle_while_it_waits_for_an_answer(asking: bytes) -> None:
    wire = a_wire(a_virtual_stage(WHOLE, Script().wait(30.0).then(*STREAM.steps)), timeout_keep_alive=5)
    await wire.feed(ASKING)

    await wire.feed(asking)
    await asyncio.sleep(31.0)

    assert wire.replies[-1].is_whole
    assert not wire.is_closed
    await asyncio.sleep(5.1)
    assert wire.is_closed


async def test_half_a_head_is_no_idleness_but_its_silence_does_not_last_for_ever() -> None:
    wire = a_wire(a_virtual_stage(Script().wait(1.0).then(*WHOLE.steps)), timeout_keep_alive=5)

    await wire.feed(ASKING + LOOKING[:9])
    await asyncio.sleep(5.5)
    assert not wire.is_closed
    await asyncio.sleep(1.0)

    assert wire.is_closed


async def test_many_requests_need_one_timer() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    wire = a_wire(a_virtual_stage(), timeout_keep_alive=5)

    for _ in range(20):
        await wire.feed(ASKING)
    await asyncio.sleep(0.3)  # the sweep's own timer is over then
    assert 1 == loop.timers
    await wire.lose()

    assert 0 == loop.timers


def test_what_we_override_is_there() -> None:
    """A name that uvicorn gives up would be called by nobody."""
    own = {
        name
        for name, value in vars(CallerProtocol).items()
        if inspect.isfunction(value) and not hasattr(HttpToolsProtocol, name)
    }

    assert {"_arm", "_head_size", "_is_amid_answer", "_refuse", "_rest"} == own


def test_we_use_no_name_of_our_own_that_is_also_uvicorns() -> None:
    protocol = HttpToolsProtocol.__init__.__code__.co_names
    ours = {name for name in vars(CallerProtocol) if not name.startswith("__")} | {"satisfice"}
    overridden = {name for name in ours if hasattr(HttpToolsProtocol, name)}

    assert set() == (ours - overridden) & set(protocol)


async def test_our_request_has_what_uvicorn_asks_of_one() -> None:
    """It reads and sets these of the last request of a connection, whosesoever that is."""
    asked = set(re.findall(r"\bcycle\.(\w+)", inspect.getsource(HttpToolsProtocol)))
    only_of_its_own = {"body", "more_body", "run_asgi"}
    wire = a_wire(a_virtual_stage(a_stream().stall()))

    await wire.feed(STREAMING)

    assert {"disconnected", "keep_alive", "message_event", "response_complete"} == asked - only_of_its_own
    assert asked - only_of_its_own <= set(dir(wire.protocol.cycle))
    await wire.lose()


def _headed(size: int, path: str = CHAT) -> bytes:
    """A request with so many bytes in its head."""
    fields = [(f"x-{number}", "x" * 990) for number in range(size // 1_000 - 2)]
    body = a_body() if path == CHAT else b""
    method = "POST" if path == CHAT else "GET"
    missing = size - request(method, path, headers=[*fields, ("x", "")], body=body).index(b"\r\n\r\n")
    return request(method, path, headers=[*fields, ("x", "x" * missing)], body=body)
