"""Unstreamed calls: as many as the target can answer (closed loop), or at a fixed rate (open loop)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

from bench.http1 import message_end
from bench.load import OK, Tally, Window, connect, no_cpu

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["closed_loop", "open_loop"]

_SPARE_CONNECTIONS = 16
_LAST_ANSWERS_S = 0.3


async def closed_loop(
    port: int,
    call: bytes,
    *,
    connections: int,
    seconds: float,
    warm: float = 0.0,
    cpu: Callable[[], float] = no_cpu,
) -> Tally:
    """Each connection sends its next call as soon as the last one is answered; a stream, too, is one call."""
    window = Window(cpu)
    opened = [
        await connect(port, lambda: _Connection(window, call, answered=_Connection.send)) for _ in range(connections)
    ]
    for connection in opened:
        connection.send()
    await asyncio.sleep(warm)
    await window.stay_open(seconds)
    for connection in opened:
        connection.close()
    return window.tally()


async def open_loop(
    port: int, call: bytes, *, rate: float, seconds: float, warm: float, cpu: Callable[[], float]
) -> Tally:
    """`rate` calls a second, whether or not earlier ones are answered; latency counts from the write."""
    window = Window(cpu)
    idle: list[_Connection] = []

    async def another() -> _Connection:
        return await connect(port, lambda: _Connection(window, call, answered=idle.append))

    async def send_forever() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await asyncio.sleep(due - loop.time())
            due += 1 / rate
            while idle and not idle[-1].is_open:
                idle.pop()
            connection = idle.pop() if idle else await another()
            connection.send()

    idle += [await another() for _ in range(_SPARE_CONNECTIONS)]
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send_forever())
        await asyncio.sleep(warm)
        await window.stay_open(seconds)
        sending.cancel()
    await asyncio.sleep(_LAST_ANSWERS_S)
    for connection in idle:
        connection.close()
    return window.tally()


class _Connection(asyncio.Protocol):
    """Kept alive, one call at a time; `answered` says what it does after each."""

    def __init__(self, window: Window, call: bytes, *, answered: Callable[[_Connection], None]) -> None:
        self._window = window
        self._call = call
        self._answered = answered
        self._buffer = b""
        self._sent_ns = 0
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def send(self) -> None:
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._call)

    def close(self) -> None:
        self._sent_ns = 0
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not message_end(data):
            self._buffer = data
            return
        window = self._window
        if not data.startswith(OK):
            window.fail(data[:300].decode("latin-1"))
        elif window.is_open:
            window.count += 1
            window.latencies_us.append((time.monotonic_ns() - self._sent_ns) / 1000)
        self._buffer = b""
        self._sent_ns = 0
        self._answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._sent_ns:
            self._window.fail(f"connection lost before the answer ({exc or 'closed'})")
