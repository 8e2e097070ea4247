"""The client against a real server: what it sends, how it reads answers, when it keeps, retries and gives up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Sending, Timeouts
from satisfice.transport.client import HTTPTransport
from satisfice.transport.exchange import YOUNG
from satisfice.transport.pool import Pool
from tests.transport.failing import broken, cancelled, raised
from tests.transport.raw_upstream import OK, SENDING, Peer, RawUpstream, an_endpoint, answering

_LIMIT = 1 << 24
_STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop that serves in production, and Python's own."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def transport(clock: ManualClock) -> AsyncIterator[HTTPTransport]:
    transport = HTTPTransport(clock)
    yield transport
    await transport.aclose()


async def test_a_request_is_what_the_endpoint_and_the_sending_say(transport: HTTPTransport) -> None:
    asked = asyncio.Queue[bytes]()

    async def play(peer: Peer) -> None:
        while True:
            asked.put_nowait(await peer.request())
            await peer.send(OK)

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream, key=Secret("sk-1"))
        await transport.open(endpoint, Sending("/chat/completions", b"{}", headers=((b"x-trace", b"7"),)))
        await transport.open(endpoint, Sending("/models", b"", method="GET"))
        post, get = asked.get_nowait(), asked.get_nowait()

        assert post.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert post.endswith(b"\r\nx-trace: 7\r\nContent-Length: 2\r\n\r\n{}")
        assert f"\r\nHost: 127.0.0.1:{upstream.port}\r\n".encode() in post
        assert b"\r\nAuthorization: Bearer sk-1\r\n" in post
        assert get.startswith(b"GET /v1/models HTTP/1.1\r\n")
        assert b"Content-Length" not in get


async def test_a_large_body_arrives_whole(transport: HTTPTransport) -> None:
    body = bytes(range(256)) * 4096
    asked = asyncio.Queue[bytes]()

    async def play(peer: Peer) -> None:
        asked.put_nowait(await peer.request())
        await peer.send(OK)

    async with RawUpstream(play) as upstream:
        await transport.open(an_endpoint(upstream), Sending("/embeddings", body))

    assert body == asked.get_nowait().partition(b"\r\n\r\n")[2]


async def test_an_answer_has_its_status_its_fields_and_its_body(transport: HTTPTransport) -> None:
    async with RawUpstream(
        answering(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3 \r\nContent-Length: 5\r\n\r\nhe", b"llo")
    ) as upstream:
        answer = await transport.open(an_endpoint(upstream), SENDING)

        assert (429, [(b"retry-after", b"3"), (b"content-length", b"5")]) == (answer.status, answer.headers)
        assert b"hello" == await answer.read(5)


async def test_a_connection_serves_one_request_after_the_other(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as upstream:
        endpoint = an_endpoint(upstream)
        for _ in range(3):
            assert b"hi" == await _body(transport, endpoint)

        assert 1 == len(upstream.peers)


async def test_pump_hands_each_piece_on_in_the_instant_it_comes(transport: HTTPTransport) -> None:
    seen = asyncio.Queue[bytes]()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(_STREAM)
        for letter in b"abc":
            await peer.send(b"1\r\n%c\r\n" % letter)
            await go_on.get()
        await peer.send(b"0\r\n\r\n")

    def sink(piece: bytes) -> bool:
        seen.put_nowait(piece)
        go_on.put_nowait(None)
        return True

    go_on = asyncio.Queue[None]()
    async with RawUpstream(play) as upstream:
        answer = await transport.open(an_endpoint(upstream), SENDING)

        assert not await answer.pump(sink)
        assert [b"a", b"b", b"c"] == [seen.get_nowait() for _ in range(seen.qsize())]
        assert not await answer.pump(sink)


async def test_what_a_sink_raises_comes_out_of_pump_and_ends_the_answer(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(_STREAM)
        await go_on.wait()
        await peer.send(b"1\r\na\r\n")
        await peer.left()

    def sink(_: bytes) -> bool:
        raise LookupError("a bug")

    go_on = asyncio.Event()
    async with RawUpstream(play) as upstream, asyncio.TaskGroup() as tasks:
        answer = await transport.open(an_endpoint(upstream), SENDING)
        pumping = tasks.create_task(raised(LookupError, answer.pump(sink)))
        go_on.set()

        assert "a bug" == str(await pumping)
        await upstream.over()


async def test_a_large_answer_waits_for_a_late_reader_and_is_whole(transport: HTTPTransport) -> None:
    """Reading stops and goes on again many times on the way: see `test_exchange` for when."""
    size = 8 << 20

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        await peer.send(*[b"x" * 65536] * (size // 65536))
        await peer.left()

    async with RawUpstream(play) as upstream:
        answer = await transport.open(an_endpoint(upstream), SENDING)

        assert size == len(await answer.read(size))


@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_stale_connection_is_retried_once_on_a_new_one(transport: HTTPTransport, end: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        if end == "reset":
            peer.reset()

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)

        assert [b"hi"] * 3 == [await _body(transport, endpoint) for _ in range(3)]
        assert 3 == len(upstream.peers)


async def test_a_kept_connection_that_closes_after_a_while_is_not_retried(transport: HTTPTransport) -> None:
    """By then the upstream has read the request and may have worked on it: a second one may be charged as well."""

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        for _ in range(YOUNG):
            transport.watch.tick()

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        await _body(transport, endpoint)

        assert Break.CUT is await broken(transport.open(endpoint, SENDING))
        assert 1 == len(upstream.peers)


async def test_a_new_connection_that_closes_is_not_retried(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()

    async with RawUpstream(play) as upstream:
        assert Break.CUT is await broken(transport.open(an_endpoint(upstream), SENDING))
        assert 1 == len(upstream.peers)


async def test_there_is_no_second_retry(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        if peer is upstream.peers[0]:
            await peer.send(OK)
            await peer.request()

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        await _body(transport, endpoint)

        assert Break.CUT is await broken(transport.open(endpoint, SENDING))
        assert 2 == len(upstream.peers)


async def test_there_is_no_retry_after_a_byte_of_an_answer(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"H")

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        await _body(transport, endpoint)

        assert Break.CUT is await broken(transport.open(endpoint, SENDING))
        assert 1 == len(upstream.peers)


@pytest.mark.parametrize("then", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["closed", "spoke unasked"])
async def test_a_waiting_connection_that_is_closed_or_speaks_is_dropped(transport: HTTPTransport, then: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer is upstream.peers[0]:
            await go_on.wait()
            if then:
                await peer.send(then)
            else:
                await peer.close()
            await peer.left()
        await peer.left()

    go_on = asyncio.Event()
    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        await _body(transport, endpoint)
        go_on.set()
        await upstream.over()

        assert b"hi" == await _body(transport, endpoint)
        assert 2 == len(upstream.peers)


async def test_an_early_answer_is_delivered_and_its_connection_not_kept(transport: HTTPTransport) -> None:
    """The upstream refuses the request from its head, while the body is still on its way."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await done.wait()

    done = asyncio.Event()
    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        large = Sending("/chat/completions", bytes(16 << 20))
        answer = await transport.open(endpoint, large)

        assert (413, b"no") == (answer.status, await answer.read(_LIMIT))
        assert 413 == (await transport.open(endpoint, SENDING)).status
        assert 2 == len(upstream.peers)
        done.set()


async def test_an_answer_kept_for_longer_has_no_hold_on_the_next_one(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as upstream:
        endpoint = an_endpoint(upstream)
        first = await transport.open(endpoint, SENDING)
        second = await transport.open(endpoint, SENDING)
        first.abort()
        first.close()
        third = await transport.open(endpoint, SENDING)

        assert 1 == len(upstream.peers)
        assert [b"hi", b"hi"] == [await second.read(_LIMIT), await third.read(_LIMIT)]


@pytest.mark.parametrize("act", ["abort", "cancel chunk", "cancel pump", "cancel read"])
async def test_an_answer_given_up_tells_the_upstream_at_once(transport: HTTPTransport, act: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(_STREAM)
        await peer.left()

    async with RawUpstream(play) as upstream:
        answer = await transport.open(an_endpoint(upstream), SENDING)
        waits: dict[str, Callable[[], Awaitable[object]]] = {
            "cancel chunk": answer.chunk,
            "cancel pump": lambda: answer.pump(lambda _: True),
            "cancel read": lambda: answer.read(_LIMIT),
        }
        if act == "abort":
            answer.abort()
        else:
            await cancelled(waits[act]())
        await upstream.over()

        assert Break.CUT is await broken(answer.chunk())


async def test_cancelling_open_drops_the_connection(transport: HTTPTransport) -> None:
    asked = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.left()

    async with RawUpstream(play) as upstream, asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(transport.open(an_endpoint(upstream), SENDING))
        await asked.wait()
        opening.cancel()
        await upstream.over()


async def test_a_body_may_end_with_its_connection(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nto the", b" end")

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)

        assert [b"to the end"] * 2 == [await _body(transport, endpoint) for _ in range(2)]
        assert 2 == len(upstream.peers)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegun",
        _STREAM + b"5\r\nbegun\r\n",
        _STREAM + b"a\r\nbegun",
    ],
    ids=["length", "between chunks", "in a chunk"],
)
async def test_a_body_cut_short_gives_what_came_and_then_breaks(transport: HTTPTransport, answer: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async with RawUpstream(play) as upstream:
        answered = await transport.open(an_endpoint(upstream), SENDING)

        assert b"begun" == await answered.chunk()
        assert Break.CUT is await broken(answered.chunk())
        assert Break.CUT is await broken(answered.pump(lambda _: True))


async def test_a_reset_cuts_even_a_body_that_ends_with_its_connection(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nto the")
        await go_on.wait()
        peer.reset()

    go_on = asyncio.Event()
    async with RawUpstream(play) as upstream:
        answer = await transport.open(an_endpoint(upstream), SENDING)
        assert b"to the" == await answer.chunk()
        go_on.set()

        assert Break.CUT is await broken(answer.chunk())


@pytest.mark.parametrize("drips", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "], ids=["silent", "dripping"])
async def test_a_head_has_to_come_in_time(transport: HTTPTransport, clock: ManualClock, drips: bytes) -> None:
    """Bytes of a head don't buy more time."""
    asked = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(drips)
        asked.set()
        await peer.left()

    async with RawUpstream(play) as upstream, asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(
            broken(transport.open(an_endpoint(upstream, timeouts=Timeouts(first_byte=9)), SENDING))
        )
        await asked.wait()
        clock.advance(8.9)
        transport.watch.tick()
        assert not opening.done()
        clock.advance(0.1)
        transport.watch.tick()

        assert Break.FIRST_BYTE_TIMEOUT is await opening


async def test_a_timeout_is_never_retried(transport: HTTPTransport, clock: ManualClock) -> None:
    asked = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        asked.set()
        await peer.left()

    async with RawUpstream(play) as upstream, asyncio.TaskGroup() as tasks:
        endpoint = an_endpoint(upstream, timeouts=Timeouts(first_byte=9))
        await _body(transport, endpoint)
        opening = tasks.create_task(broken(transport.open(endpoint, SENDING)))
        await asked.wait()
        clock.advance(9)
        transport.watch.tick()

        assert Break.FIRST_BYTE_TIMEOUT is await opening
        assert 1 == len(upstream.peers)


async def test_no_time_left_means_no_connection(transport: HTTPTransport, clock: ManualClock) -> None:
    async with RawUpstream(answering(OK)) as upstream:
        opening = transport.open(an_endpoint(upstream), msgspec.structs.replace(SENDING, expires_at=clock.now()))

        assert Break.TOTAL_TIMEOUT is await broken(opening)


async def test_an_equal_endpoint_shares_connections_and_a_changed_one_closes_them(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer is upstream.peers[0]:
            await peer.request()
            await peer.send(OK)
            await peer.left()
        await peer.left()

    async with RawUpstream(play) as upstream:
        for endpoint in (an_endpoint(upstream), an_endpoint(upstream), an_endpoint(upstream, key=Secret("sk-new"))):
            await _body(transport, endpoint)
        await upstream.over()

        assert 2 == len(upstream.peers)


async def test_endpoints_of_the_past_leave_nothing_behind(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as upstream:
        for number in range(9):
            await _body(transport, an_endpoint(upstream, key=Secret(f"sk-{number}")))
        gc.collect()

    assert 3 > sum(isinstance(thing, Pool) for thing in gc.get_objects())


async def test_aclose_closes_what_works_and_what_waits(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(_STREAM if peer is upstream.peers[0] else OK)
        await peer.left()

    async with RawUpstream(play) as upstream:
        endpoint = an_endpoint(upstream)
        working = await transport.open(endpoint, SENDING)
        await _body(transport, endpoint)
        await transport.aclose()

        assert Break.CUT is await broken(working.read(_LIMIT))
        assert Break.CUT is await broken(transport.open(endpoint, SENDING))
        for number in range(2):
            await upstream.over(number)


async def test_a_connection_made_too_late_is_closed_at_once(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as upstream, asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(broken(transport.open(an_endpoint(upstream), SENDING)))
        await asyncio.sleep(0)
        await transport.aclose()

        assert Break.CUT is await opening
        await upstream.over()


async def _body(transport: HTTPTransport, endpoint: Endpoint) -> bytes:
    answer = await transport.open(endpoint, SENDING)
    return await answer.read(_LIMIT)
