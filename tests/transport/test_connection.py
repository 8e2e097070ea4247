"""The glue around the parser: framing, limits, and what becomes of the connection; then whatever bytes may come."""

from __future__ import annotations

from collections.abc import Iterable

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from satisfice.core.errors import Break, Broken
from satisfice.transport.connection import MAX_HEAD
from tests.transport.bare_line import BareLine, outcome

_OK = b"HTTP/1.1 200 OK\r\n"
_STREAM = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_HI = _OK + b"Content-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    "answer",
    [
        _OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
        _OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        _OK + b"Content-Length: 2, 2\r\n\r\nhi",
        _OK + b"Content-Length: +2\r\n\r\nhi",
        _OK + b"Content-Length: 0x2\r\n\r\nhi",
        _OK + b"Content-Length: 2 2\r\n\r\nhi",
        _OK + b"Content-Length: -1\r\n\r\nhi",
        _OK + b"Content-Length:\r\n\r\nhi",
        _OK + b"Content-Length: 99999999999999999999\r\n\r\nhi",
        _OK + b"Content-Length : 2\r\n\r\nhi",
        _OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
        _OK + b"A: b\r\n c\r\n\r\n",
        _OK + b"A: b\nC: d\r\n\r\n",
        _OK + b"A: b\rC: d\r\n\r\n",
        _OK + b"A: \0\r\n\r\n",
        _OK + b"A b: c\r\n\r\n",
        _OK + b": c\r\n\r\n",
        _OK + b"A\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"\r\n" + _HI,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nhi" + _HI,
        b"HTTP/1.1 150 Odd\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _HI,
    ],
)
async def test_a_head_in_doubt_is_refused(answer: bytes) -> None:
    assert Break.MALFORMED is await outcome(answer)
    assert Break.MALFORMED is await outcome(*_letters(answer))


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\nhi\r\n0\r\n\r\n",
        b"0x2\r\nhi\r\n0\r\n\r\n",
        b"-2\r\nhi\r\n0\r\n\r\n",
        b"+2\r\nhi\r\n0\r\n\r\n",
        b"2 \r\nhi\r\n0\r\n\r\n",
        b" 2\r\nhi\r\n0\r\n\r\n",
        b"2\nhi\n0\n\n",
        b"\r\nhi\r\n0\r\n\r\n",
        b"1\r\nhi\r\n0\r\n\r\n",
        b"2\r\nhi0\r\n\r\n",
        b"fffffffffffffffff\r\nhi\r\n0\r\n\r\n",
        b"2\r\nhi\r\n0\r\nContent-Length: 2\r\n\r\n",
        b"2\r\nhi\r\n0\r\nA b\r\n\r\n",
    ],
)
async def test_chunks_in_doubt_are_refused(chunks: bytes) -> None:
    assert Break.MALFORMED is await outcome(_STREAM + chunks)
    assert Break.MALFORMED is await outcome(*_letters(_STREAM + chunks))


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(status: int) -> None:
    line = BareLine().say(b"HTTP/1.1 %d None\r\nContent-Length: 9\r\n\r\n" % status)

    assert [line.connection] == line.home.idle
    assert b"" == await line.exchange.read(9)


async def test_a_head_of_the_limit_is_read_and_one_over_it_is_not() -> None:
    bare = len(_OK + b"X: \r\n\r\n")
    head = _OK + b"X: %b\r\n\r\n" % (b"x" * (MAX_HEAD - bare))
    over = head.replace(b"X: ", b"X: x")

    for pieces in ([head + b"body"], [head[:9], head[9:] + b"body"], [head, b"body"]):
        assert (200, b"body") == await outcome(*pieces)
    for pieces in ([over + b"body"], [over[:9], over[9:] + b"body"], [over[:MAX_HEAD], over[MAX_HEAD:]]):
        assert Break.TOO_LARGE is await outcome(*pieces)


async def test_more_than_an_answer_is_seen_at_the_limit_of_a_head_too() -> None:
    head = _OK + b"Content-Length: 0\r\nX: %b\r\n\r\n"
    whole = head % (b"x" * (MAX_HEAD - len(head % b"")))
    exact, more = BareLine().say(whole), BareLine().say(whole + b"H")

    assert ([exact.connection], []) == (exact.home.idle, more.home.idle)
    assert more.wire.is_aborted


async def test_interim_answers_count_too() -> None:
    assert Break.TOO_LARGE is await outcome(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 3000, _HI)


async def test_a_body_of_nothing_but_framing_is_dropped() -> None:
    """An extension or a trailer without end would be kept by the parser, or keep us busy for ever."""
    for endless in (b"2;" + b"x" * 1000, b"0\r\nX: " + b"x" * 1000):
        assert Break.TOO_LARGE is await outcome(_STREAM, endless, *[b"x" * 1000] * 65)


async def test_framing_between_pieces_of_a_body_may_add_up() -> None:
    chunk = [b"1\r\n", b"x", b"\r\n"]
    count = MAX_HEAD // len(b"1\r\n\r\n") + 1

    assert (200, b"x" * count) == await outcome(_STREAM, *chunk * count, b"0\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _HI,
        _OK + b"Transfer-Encoding: Chunked\r\n\r\n1;a=b\r\nh\r\n1\r\ni\r\n0\r\nTrailer: 1\r\n\r\n",
        _OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
    ],
    ids=["after interim answers", "in chunks with extensions and a trailer", "of identity encoding", "HTTP/1.0"],
)
async def test_one_good_answer_after_the_other_is_read(answer: bytes) -> None:
    line = BareLine().say(answer)
    assert b"hi" == await line.exchange.read(2)

    line.ask()
    line.say(*_letters(answer))
    assert (200, b"hi") == (line.exchange.status, await line.exchange.read(2))
    assert [line.connection] == line.home.idle


async def test_the_end_of_an_answer_leaves_a_free_connection() -> None:
    line = BareLine().say(_HI)
    assert [line.connection] == line.home.idle

    second = line.ask()
    line.say(_HI)
    assert b"hi" == await second.read(2)


@pytest.mark.parametrize(
    "pieces",
    [
        [_HI + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
        [_HI + b"H"],
        [_HI + b"\0"],
        [_HI, b"H"],
        [_OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
        [_OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi, and more"],
        [b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nhi"],
    ],
)
async def test_more_than_an_answer_is_never_the_next_one(pieces: list[bytes]) -> None:
    line = BareLine().say(*pieces)

    assert [] == line.home.idle
    assert line.wire.is_closed or line.wire.is_aborted
    assert await line.exchange.read(2) in {b"hi", b""}


async def test_an_answer_to_half_a_request_ends_its_connection() -> None:
    line = BareLine()
    line.wire.unsent = 1
    line.say(_HI)

    assert b"hi" == await line.exchange.read(2)
    assert [] == line.home.idle
    assert line.wire.is_aborted


async def test_the_end_of_the_connection_ends_an_answer_that_is_not_all_sent() -> None:
    """The loop's own way would be to send the rest of the request first, for which nobody waits."""
    line = BareLine().say(_OK + b"\r\nhi")
    line.wire.unsent = 1
    line.connection.eof_received()

    assert line.wire.is_aborted
    assert b"hi" == await line.exchange.read(2)


async def test_only_a_kept_connection_that_brought_nothing_was_stale() -> None:
    fresh = BareLine().hang_up()
    kept = BareLine().say(_HI)
    kept.ask()
    kept.hang_up()
    spoken = BareLine().say(_HI)
    spoken.ask()
    spoken.say(b"H").hang_up()
    late = BareLine().say(_HI)
    late.ask()
    late.clock.advance(1e9)
    late.watch.tick()

    assert [False, True, False, False] == [line.exchange.is_stale for line in (fresh, kept, spoken, late)]


async def test_a_connection_that_broke_before_it_was_used_breaks_the_exchange() -> None:
    line = BareLine().say(_HI)
    line.hang_up(OSError("pulled the plug"))
    exchange = line.ask()

    assert exchange.is_stale
    assert [] == line.home.all


async def test_a_break_says_what_the_loop_said_of_it() -> None:
    line = BareLine().hang_up(OSError("pulled the plug"))

    with pytest.raises(Broken, match="cut before its end: pulled the plug"):
        line.exchange.is_headed()


async def test_a_large_body_is_not_copied_into_the_head() -> None:
    line = BareLine()
    line.wire.written = b""
    line.ask(bytes(1 << 20))

    assert b"GET / HTTP/1.1\r\n\r\n" + bytes(1 << 20) == line.wire.written


_LINES = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 503 \r\n", b"HTTP/1.1 204\r\n"]
_INTERIM = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
_FIELDS = [
    *(b"Content-Length: 2\r\n", b"content-length:0\r\n", b"Content-Length: 2 \r\n", b"Content-Length:2,2\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:Chunked \r\n", b"Transfer-Encoding: gzip, chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Content-Encoding: identity\r\n"),
    *(b"X: y\r\n", b"X:\r\n", b"x-a: b \t\r\n", b"X : y\r\n", b" folded\r\n"),
]
_CHUNKS = [b"2\r\nhi\r\n", b"2;a=b\r\nhi\r\n", b"1\r\n", b"\r\n", b"0\r\n\r\n", b"0\r\nT: 1\r\n\r\n", b"hi", b"-1\r\n"]
_SNIPPETS = [*_LINES, *_INTERIM, *_FIELDS, *_CHUNKS, b"\n", b"\r", b" ", b"\0", b":"]


def _some(parts: list[bytes], most: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(parts), max_size=most).map(b"".join)


_SOUP = st.lists(st.sampled_from(_SNIPPETS) | st.binary(max_size=3), max_size=14).map(b"".join)
_NEARLY = st.tuples(
    _some(_INTERIM, 1), st.sampled_from(_LINES), _some(_FIELDS, 3), st.just(b"\r\n"), _some(_CHUNKS, 4)
).map(b"".join)
_ANSWERS = _NEARLY | _NEARLY | _SOUP


@given(
    pieces=st.lists(_ANSWERS | st.binary(max_size=40) | st.sampled_from(_SNIPPETS), max_size=20),
    limit=st.integers(0, 50),
)
async def test_arbitrary_bytes_in_arbitrary_pieces_give_an_answer_or_break(pieces: list[bytes], limit: int) -> None:
    """Nothing else may come out, neither into the loop nor to the caller."""
    match await outcome(*pieces, limit=limit):
        case (int(status), bytes(body)):
            assert 200 <= status <= 599
            assert len(body) <= limit
        case kind:
            assert kind in {Break.CUT, Break.MALFORMED, Break.TOO_LARGE}


@given(answer=_ANSWERS, cuts=st.lists(st.integers(0, 200), max_size=6))
async def test_any_cutting_of_the_same_bytes_gives_the_same(answer: bytes, cuts: list[int]) -> None:
    assert await outcome(answer) == await outcome(*_cut(answer, cuts))


@given(
    body=st.binary(max_size=300),
    framing=st.sampled_from(["length", "chunked", "close"]),
    sizes=st.lists(st.integers(1, 40), min_size=1),
    cuts=st.lists(st.integers(0, 500), max_size=8),
)
async def test_a_good_answer_is_read_however_it_is_framed_and_cut(
    body: bytes, framing: str, sizes: list[int], cuts: list[int]
) -> None:
    match framing:
        case "length":
            answer = _OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        case "chunked":
            answer = _STREAM + _chunked(body, sizes)
        case _:
            answer = _OK + b"\r\n" + body

    assert (200, body) == await outcome(*_cut(answer, cuts))


@given(answer=_ANSWERS)
@example(b"HTTP/1.1 100 Continue\r\n\r\n" + _HI)
@example(_STREAM + b"2;a=b\r\nhi\r\n0\r\nT: 1\r\n\r\n")
async def test_what_is_accepted_means_the_same_to_another_reader(answer: bytes) -> None:
    """h11 shares no code with our parser. It may refuse less than we do, never more."""
    ours = await outcome(answer)
    if not isinstance(ours, Break):
        assert ours == _read_by_h11(answer)


@given(answer=_ANSWERS)
@example(_OK + b"X: a \t\r\nx-empty:\r\nX:b\r\n\r\n")
async def test_the_fields_mean_the_same_to_another_reader(answer: bytes) -> None:
    line = BareLine().say(answer).hang_up()
    if line.exchange.status:
        event = _response_of_h11(answer)
        assert isinstance(event, h11.Response)
        # It writes `chunked` in lower case, whatever came.
        assert _lowered(event.headers) == _lowered(line.exchange.headers)


def _lowered(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value.lower()) for name, value in fields]


def _letters(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut for cut in cuts if cut < len(data))})
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    chunks = []
    while body:
        for size in sizes:
            piece, body = body[:size], body[size:]
            if piece:
                chunks.append(b"%x\r\n%b\r\n" % (len(piece), piece))
    return b"".join(chunks) + b"0\r\n\r\n"


def _client_of_h11(answer: bytes) -> h11.Connection:
    client = h11.Connection(our_role=h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(answer)
    client.receive_data(b"")
    return client


def _response_of_h11(answer: bytes) -> object:
    client = _client_of_h11(answer)
    while isinstance(event := client.next_event(), h11.InformationalResponse):
        pass
    return event


def _read_by_h11(answer: bytes) -> tuple[int, bytes]:
    client = _client_of_h11(answer)
    status, body = 0, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        match event:
            case h11.Response(status_code=status):
                pass
            case h11.Data(data=data):
                body += data
            case h11.InformationalResponse():
                pass
            case _:
                pytest.fail(f"h11 says {event!r}")
    return status, body
