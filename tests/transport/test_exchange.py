"""What an exchange does with what it is told; with a real connection below it, but no socket."""

from __future__ import annotations

import asyncio

import pytest

from satisfice.core.errors import Break, Broken
from satisfice.ports import Timeouts
from satisfice.transport.exchange import GRACE, HIGH_WATER, SPARE
from tests.transport.bare_line import BareLine

_STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


class _Taker:
    """A sink that takes so many pieces."""

    def __init__(self, most: int = 1000) -> None:
        self.taken: list[bytes] = []
        self._most = most

    def __call__(self, piece: bytes) -> bool:
        self.taken.append(piece)
        return len(self.taken) < self._most


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_pieces_wait_for_a_reader_who_gets_them_together() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a"), _chunk(b"b") + _chunk(b"c"))

    assert b"abc" == await line.exchange.chunk()
    line.say(_chunk(b"d"), _END)
    assert [b"d", b"", b""] == [await line.exchange.chunk() for _ in range(3)]


async def test_a_read_of_several_chunks_is_one_call_of_the_sink() -> None:
    line = BareLine().say(_STREAM)
    sink = _Taker()
    async with asyncio.TaskGroup() as tasks:
        pumping = tasks.create_task(line.exchange.pump(sink))
        await asyncio.sleep(0)
        line.say(_chunk(b"a") + _chunk(b"b"), _chunk(b"c") + _END)
        assert [b"ab", b"c"] == sink.taken  # before any turn of the loop

    assert not pumping.result()


async def test_a_sink_that_stops_in_the_middle_of_what_waited_leaves_the_rest() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a"), _chunk(b"b"), _chunk(b"c"), _END)
    first, second = _Taker(2), _Taker()

    assert await line.exchange.pump(first)
    assert not await line.exchange.pump(second)
    assert ([b"a", b"b"], [b"c"]) == (first.taken, second.taken)


async def test_a_sink_that_stops_in_the_middle_of_what_comes_leaves_the_rest() -> None:
    line = BareLine().say(_STREAM)
    async with asyncio.TaskGroup() as tasks:
        pumping = tasks.create_task(line.exchange.pump(lambda _: False))
        await asyncio.sleep(0)
        line.say(_chunk(b"a"), _chunk(b"b"), _END)

    assert pumping.result()
    assert b"b" == await line.exchange.read(9)


async def test_a_sink_that_stops_at_the_last_piece_hears_of_the_end_next_time() -> None:
    line = BareLine().say(_STREAM)
    async with asyncio.TaskGroup() as tasks:
        pumping = tasks.create_task(line.exchange.pump(lambda _: False))
        await asyncio.sleep(0)
        line.say(_chunk(b"a") + _END)

    assert pumping.result()
    assert not await line.exchange.pump(lambda _: False)


@pytest.mark.parametrize("has_waited", [True, False])
async def test_what_a_sink_raises_is_for_who_pumps(*, has_waited: bool) -> None:
    def sink(_: bytes) -> bool:
        raise StopIteration

    line = BareLine().say(_STREAM)
    if has_waited:
        line.say(_chunk(b"a"))
    asyncio.get_running_loop().call_soon(line.say, _chunk(b"b"))
    with pytest.raises(RuntimeError) as caught:  # what Python makes of a StopIteration in a coroutine
        await line.exchange.pump(sink)

    assert isinstance(caught.value.__cause__, StopIteration)
    assert line.wire.is_aborted


async def test_a_sink_may_give_the_answer_up() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a"), _chunk(b"b"))
    taken: list[bytes] = []

    def sink(piece: bytes) -> bool:
        taken.append(piece)
        line.exchange.abort()
        return True

    with pytest.raises(Broken, match="given up"):
        await line.exchange.pump(sink)
    assert [b"a"] == taken


@pytest.mark.parametrize("by", ["chunk", "read", "pump"])
async def test_beyond_the_high_water_mark_the_upstream_waits_until_all_is_taken(by: str) -> None:
    line = BareLine().say(_STREAM)
    assert [False, True] == [line.say(_chunk(piece)).wire.is_paused for piece in (bytes(HIGH_WATER), b"!")]

    match by:
        case "chunk":
            await line.exchange.chunk()
        case "read":
            asyncio.get_running_loop().call_soon(line.say, _END)
            await line.exchange.read(HIGH_WATER * 2)
        case _:
            asyncio.get_running_loop().call_soon(line.say, _END)
            await line.exchange.pump(lambda _: True)
    assert not line.wire.is_paused


async def test_what_a_sink_has_taken_does_not_wait_any_more() -> None:
    line = BareLine().say(_STREAM, _chunk(bytes(HIGH_WATER)))
    await line.exchange.pump(_Taker(1))

    assert [False, True] == [line.say(_chunk(piece)).wire.is_paused for piece in (bytes(HIGH_WATER), b"!")]


async def test_an_upstream_that_has_to_wait_is_not_idle() -> None:
    line = BareLine(timeouts=Timeouts(idle=5)).say(_STREAM, _chunk(bytes(HIGH_WATER + 1)))
    line.exchange.flow()
    for _ in range(3):
        line.clock.advance(5)
        line.watch.tick()
    await line.exchange.chunk()
    line.clock.advance(5)
    line.watch.tick()
    assert not line.wire.is_aborted

    line.clock.advance(5)
    line.watch.tick()
    assert line.wire.is_aborted


async def test_a_whole_answer_held_back_does_not_hold_its_connection() -> None:
    line = BareLine().say(_STREAM, _chunk(bytes(HIGH_WATER + 1)) + _END)

    assert [line.connection] == line.home.idle
    assert not line.wire.is_paused
    assert HIGH_WATER + 1 == len(await line.exchange.read(HIGH_WATER + 1))


@pytest.mark.parametrize("pieces", [[b"abcd"], [b"ab", b"cd"]])
async def test_the_limit_of_read_is_exact(pieces: list[bytes]) -> None:
    chunks = [_chunk(piece) for piece in pieces]

    assert b"abcd" == await BareLine().say(_STREAM, *chunks, _END).exchange.read(4)
    with pytest.raises(Broken) as caught:
        await BareLine().say(_STREAM, *chunks, _END).exchange.read(3)
    assert Break.TOO_LARGE is caught.value.kind


async def test_a_closed_answer_leaves_its_connection_if_the_end_is_at_hand() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a"))
    line.exchange.close()
    line.say(_chunk(bytes(SPARE)), _END)

    assert [line.connection] == line.home.idle
    assert b"" == await line.exchange.chunk()


async def test_a_closed_answer_that_had_to_wait_reads_on() -> None:
    line = BareLine().say(_STREAM, _chunk(bytes(HIGH_WATER + 1)))
    line.exchange.close()

    assert not line.wire.is_paused


@pytest.mark.parametrize("reason", ["too much", "too long", "abort"])
async def test_a_closed_answer_drops_its_connection_else(reason: str) -> None:
    line = BareLine(timeouts=Timeouts(first_byte=1000)).say(_STREAM)
    line.exchange.close()
    match reason:
        case "too much":
            line.say(_chunk(bytes(SPARE + 1)))
        case "too long":
            line.watch.tick()
            line.clock.advance(GRACE - 0.1)
            line.say(_chunk(b"a"))
            line.watch.tick()
            assert not line.wire.is_aborted
            line.clock.advance(0.1)
            line.watch.tick()
        case _:
            line.exchange.abort()

    assert line.wire.is_aborted


async def test_giving_up_is_harmless_after_the_end() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a"), _END)
    line.exchange.close()
    line.exchange.abort()

    assert [line.connection] == line.home.idle
    assert not line.wire.is_aborted


async def test_flow_changes_which_timeout_counts() -> None:
    timeouts = Timeouts(first_byte=100, idle=10)
    late, flowing = BareLine(timeouts=timeouts).say(_STREAM), BareLine(timeouts=timeouts).say(_STREAM)
    flowing.exchange.flow()
    for line, expected in ((late, Break.FIRST_BYTE_TIMEOUT), (flowing, Break.IDLE_TIMEOUT)):
        line.watch.tick()
        line.clock.advance(10)
        line.watch.tick()
        line.clock.advance(90)
        line.watch.tick()
        with pytest.raises(Broken) as caught:
            await line.exchange.chunk()
        assert expected is caught.value.kind
        assert line.wire.is_aborted


async def test_slowness_is_not_silence_but_the_whole_call_has_its_end() -> None:
    line = BareLine(timeouts=Timeouts(first_byte=100, idle=5), expires_at=18).say(_STREAM)
    line.exchange.flow()
    for _ in range(4):
        line.watch.tick()
        line.clock.advance(4.5)
        line.say(_chunk(b"a"))
    line.watch.tick()

    assert b"aaaa" == await line.exchange.chunk()
    with pytest.raises(Broken) as caught:
        await line.exchange.chunk()
    assert Break.TOTAL_TIMEOUT is caught.value.kind


async def test_a_stream_may_take_longer_than_a_call_as_long_as_it_goes_on() -> None:
    line = BareLine(timeouts=Timeouts(first_byte=100, idle=5, total=18), expires_at=18).say(_STREAM)
    line.exchange.flow(is_endless=True)
    for _ in range(9):
        line.watch.tick()
        line.clock.advance(4.5)
        line.say(_chunk(b"a"))
        line.watch.tick()

    assert b"a" * 9 == await line.exchange.chunk()
    line.clock.advance(5.5)
    line.watch.tick()
    with pytest.raises(Broken) as caught:
        await line.exchange.chunk()
    assert Break.IDLE_TIMEOUT is caught.value.kind


async def test_a_stream_that_nobody_reads_has_its_end() -> None:
    """Held up by its caller it is not silent, and would be there for ever."""
    line = BareLine(timeouts=Timeouts(idle=5, total=18), expires_at=18).say(_STREAM)
    line.exchange.flow(is_endless=True)
    line.say(_chunk(b"a" * (1 << 20)))
    line.watch.tick()
    for _ in range(4):
        assert not line.wire.is_aborted
        line.clock.advance(4.5)
        line.watch.tick()

    assert line.wire.is_aborted


async def test_the_first_output_has_to_come_in_time_not_only_the_head() -> None:
    """In a stream the head means little: comments that keep it alive may follow for minutes."""
    line = BareLine(timeouts=Timeouts(first_byte=9)).say(_STREAM, _chunk(b": wait\n\n"))
    line.clock.advance(9)
    line.say(_chunk(b": wait\n\n"))
    line.watch.tick()

    assert line.wire.is_aborted


async def test_what_came_before_a_break_is_read_before_it() -> None:
    line = BareLine().say(_STREAM, _chunk(b"a") + b"x\r\n")

    assert b"a" == await line.exchange.chunk()
    for _ in range(2):
        with pytest.raises(Broken) as caught:
            await line.exchange.chunk()
        assert Break.MALFORMED is caught.value.kind
