"""When the timer rings, and for whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.ports import Timeouts
from satisfice.transport.exchange import Exchange
from satisfice.transport.watch import TICK, Watch
from tests.transport.bare_line import BareLine, TimerLoop


class _Line:
    def __init__(self) -> None:
        self.is_dropped = False

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def drop(self) -> None:
        self.is_dropped = True


@pytest.fixture
def loop() -> Iterator[TimerLoop]:
    with contextlib.closing(TimerLoop()) as loop:
        yield loop


def _exchange(line: _Line, loop: asyncio.AbstractEventLoop) -> Exchange:
    exchange = Exchange(line, loop)
    exchange.start(Timeouts(first_byte=5), now=0.0, expires_at=9.0)
    return exchange


def test_one_timer_rings_for_all_while_anything_is_under_way_and_then_no_more(loop: TimerLoop) -> None:
    """A gateway without work must let the processor sleep."""
    watch = Watch(loop, ManualClock(now=0.0))
    first, second = _exchange(_Line(), loop), _exchange(_Line(), loop)
    watch.add(first)
    watch.add(second)
    assert [1, 1] == [loop.ring(), loop.ring()]

    watch.discard(first)
    watch.discard(second)
    assert [1, 0] == [loop.ring(), loop.ring()]

    watch.add(first)
    assert 1 == loop.ring()
    assert {TICK} == set(loop.delays)


def test_only_what_is_under_way_is_looked_at(loop: TimerLoop) -> None:
    clock = ManualClock(now=0.0)
    watch = Watch(loop, clock)
    over, under_way = _Line(), _Line()
    exchange = _exchange(over, loop)
    watch.add(exchange)
    watch.add(_exchange(under_way, loop))
    watch.discard(exchange)
    clock.advance(5)
    watch.tick()

    assert (False, True) == (over.is_dropped, under_way.is_dropped)


async def test_it_rings_by_itself() -> None:
    line = BareLine(timeouts=Timeouts(first_byte=5))
    line.clock.advance(5)
    async with asyncio.timeout(TICK * 50):
        await line.exchange.news()

    with pytest.raises(Broken) as caught:
        line.exchange.is_headed()
    assert Break.FIRST_BYTE_TIMEOUT is caught.value.kind
    line.watch.stop()
