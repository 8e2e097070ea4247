"""Which connections are kept, for how long, and which is taken next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from satisfice.core.clock import ManualClock
from satisfice.transport.connection import Connection
from satisfice.transport.pool import MAX_IDLE, REST, Pool
from satisfice.transport.watch import Watch
from tests.transport.bare_line import TimerLoop, Wire


class _Pond:
    """A pool, and connections for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = Pool(loop)
        self.wires: list[Wire] = []
        self._watch = Watch(loop, ManualClock())

    def connections(self, count: int) -> list[Connection]:
        return [self._connection() for _ in range(count)]

    def _connection(self) -> Connection:
        connection = Connection(self.pool, self._watch)
        self.wires.append(Wire())
        connection.connection_made(self.wires[-1])
        self.pool.put(connection)
        return connection

    def closed(self) -> list[bool]:
        return [wire.is_closed for wire in self.wires]


@pytest.fixture
async def pond() -> AsyncIterator[_Pond]:
    pond = _Pond(asyncio.get_running_loop())
    yield pond
    pond.pool.retire()


async def test_the_latest_used_is_the_next(pond: _Pond) -> None:
    first, second = pond.connections(2)

    assert [second, first, None] == [pond.pool.take(), pond.pool.take(), pond.pool.take()]


async def test_one_that_is_withdrawn_is_not_taken(pond: _Pond) -> None:
    first, second = pond.connections(2)
    pond.pool.withdraw(second)
    pond.pool.withdraw(second)

    assert [first, None] == [pond.pool.take(), pond.pool.take()]


async def test_so_many_may_wait_and_no_more(pond: _Pond) -> None:
    pond.connections(MAX_IDLE + 1)

    assert [*[False] * MAX_IDLE, True] == pond.closed()


async def test_who_waits_from_one_sweep_to_the_next_is_closed(pond: _Pond) -> None:
    _, used = pond.connections(2)
    pond.pool.sweep()
    assert used is pond.pool.take()
    pond.pool.put(used)
    pond.pool.sweep()
    assert [True, False] == pond.closed()

    pond.pool.sweep()
    assert [True, True] == pond.closed()
    assert pond.pool.take() is None


def test_it_sweeps_by_itself_while_anything_waits_and_then_no_more() -> None:
    with contextlib.closing(TimerLoop()) as loop:
        pond = _Pond(loop)
        pond.connections(1)
        assert [1, 1, 0] == [loop.ring(), loop.ring(), loop.ring()]
        assert [True] == pond.closed()
        assert {REST} == set(loop.delays)

        pond.connections(1)
        pond.pool.retire()
        assert [True, True] == pond.closed()


async def test_a_retired_pool_closes_what_waits_and_what_becomes_free(pond: _Pond) -> None:
    busy, _ = pond.connections(2)
    pond.pool.withdraw(busy)
    pond.pool.retire()
    assert [False, True] == pond.closed()

    pond.pool.put(busy)
    assert [True, True] == pond.closed()


async def test_aclose_waits_until_the_last_has_gone(pond: _Pond) -> None:
    first, second = pond.connections(2)
    pond.pool.withdraw(first)
    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(pond.pool.aclose())
        await asyncio.sleep(0)
        assert [True, True] == [wire.is_aborted for wire in pond.wires]
        assert [False, True] == pond.closed()  # who waited says good-bye
        second.connection_lost(None)
        await asyncio.sleep(0)
        assert not closing.done()
        first.connection_lost(None)

    assert pond.pool.is_done
