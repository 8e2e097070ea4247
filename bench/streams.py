"""Many streams at once, each on a connection of its own: the age of every chunk, the wait for the first one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, cast

from bench.load import OK, Tally, Window, connect, no_cpu

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Held", "hold", "relay"]

_RAMP_S = 0.517
"""No multiple of a chunk's delay, so that the streams' chunks don't all fall on the same milliseconds."""
_LAST_STREAMS_S = 3.0
_END = b"\r\n0\r\n\r\n"
_DONE = b"[DONE]"
_MARK = b'"@'
_STAMP_END = 18
"""Bytes from the mark to the end of the sixteen digits."""


class Held(NamedTuple):
    """How many streams were open together when they were measured."""

    streams: int
    failed: int
    complaint: str


async def relay(
    port: int, call: bytes, *, streams: int, seconds: float, warm: float, cpu: Callable[[], float]
) -> Tally:
    """Keeps `streams` streams running, each begun anew when it ends; the count is of content chunks."""
    window = Window(cpu)
    opened = await _open(port, call, window=window, streams=streams, ramp=_RAMP_S)
    await asyncio.sleep(warm)
    await window.stay_open(seconds)
    for stream in opened:
        stream.is_last = True
    await _until(lambda: not any(stream.is_running for stream in opened), _LAST_STREAMS_S)
    _close(opened)
    return window.tally()


async def hold(port: int, call: bytes, *, streams: int, ramp: float, measure: Callable[[], None]) -> Held:
    """Opens `streams` streams over `ramp` seconds and calls `measure` once all of them have had a chunk."""
    window = Window(no_cpu)
    opened = await _open(port, call, window=window, streams=streams, ramp=ramp)
    await _until(lambda: all(stream.is_flowing for stream in opened), _LAST_STREAMS_S)
    measure()
    flowing = sum(stream.is_flowing for stream in opened)
    _close(opened)
    tally = window.tally()
    return Held(flowing, tally.failed, tally.complaint)


async def _open(port: int, call: bytes, *, window: Window, streams: int, ramp: float) -> list[_Stream]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    opened: list[_Stream] = []
    for number in range(streams):
        opened.append(await connect(port, lambda: _Stream(window, call)))
        await asyncio.sleep(start + ramp * (number + 1) / streams - loop.time())
    return opened


async def _until(condition: Callable[[], bool], patience: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not condition() and loop.time() < end:  # noqa: ASYNC110 - an event would cost something at each chunk
        await asyncio.sleep(0.05)


def _close(streams: list[_Stream]) -> None:
    for stream in streams:
        stream.close()


class _Stream(asyncio.Protocol):
    """One stream after another on a kept-alive connection."""

    def __init__(self, window: Window, call: bytes) -> None:
        self._window = window
        self._call = call
        self._sent_ns = 0
        self._is_answered = False
        self._tail = b""
        self.is_running = False
        self.is_flowing = False
        self.is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begin()

    def close(self) -> None:
        self.is_running = False
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if self._tail:
            data = self._tail + data
        if not self._is_answered:
            if len(data) < len(OK):
                self._tail = data
                return
            if not data.startswith(OK):
                self._window.fail(data[:300].decode("latin-1"))
                self.close()
                return
            self._is_answered = True
        seen = self._note_chunks(data, now_ns)
        if data.endswith(_END):
            if _DONE not in data:
                self._window.fail("a stream ended early: " + data[-100:].decode("latin-1"))
            self._end()
        else:
            # A stamp or the end may be split between two reads.
            self._tail = data[max(seen, len(data) - _STAMP_END) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_running:
            self._window.fail(f"connection lost in a stream ({exc or 'closed'})")
        self.is_running = self.is_flowing = False

    def _begin(self) -> None:
        self.is_running = True
        self._is_answered = False
        self._tail = b""
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._call)

    def _end(self) -> None:
        self.is_running = self.is_flowing = False
        if not self.is_last:
            self._begin()

    def _note_chunks(self, data: bytes, now_ns: int) -> int:
        """Returns where the last whole stamp ends."""
        window = self._window
        seen = 0
        mark = data.find(_MARK)
        while mark >= 0 and mark + _STAMP_END <= len(data):
            seen = mark + _STAMP_END
            if window.is_open:
                window.count += 1
                window.latencies_us.append((now_ns - int(data[mark + len(_MARK) : seen])) / 1000)
            mark = data.find(_MARK, seen)
        if seen and not self.is_flowing:
            self.is_flowing = True
            if window.is_open:
                window.first_us.append((now_ns - self._sent_ns) / 1000)
        return seen
