"""Tells events as they happen: to people, a line on stderr; to programs, a line of JSON on stdout."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import msgspec

from satisfice.cli import render
from satisfice.cli.events import Called, Event, Logged
from satisfice.cli.wording import say, say_first
from satisfice.core.clock import Clock

__all__ = ["JSONLog", "Log", "TextLog", "told_to"]


class Log(Protocol):
    """Where events are told."""

    def tell(self, event: Event) -> None:
        """Tell one event."""
        ...

    def hint(self, command: str, why: str) -> None:
        """What to do next, which only people need."""
        ...

    def close(self) -> None:
        """Get the last lines out."""
        ...


class TextLog:
    """For people: the first call and every trouble; every call only if that is asked for."""

    def __init__(self, *, is_verbose: bool) -> None:
        """Write to stderr."""
        self._is_verbose = is_verbose
        self._has_proof = False

    def tell(self, event: Event) -> None:
        """Tell one event, if it is news."""
        match event:
            case Called(outcome="answered") if not self._has_proof and not self._is_verbose:
                self._has_proof = True
                _show(say_first(event))
            case Called(outcome="answered" | "refused" | "left") if not self._is_verbose:
                pass
            case _:
                _show(say(event))

    def hint(self, command: str, why: str) -> None:
        """What to do next."""
        with suppress(OSError):
            render.next_step(command, why, indent="  ")

    def close(self) -> None:
        """Nothing is held back."""


class JSONLog:
    """For programs: every event as one line of JSON.

    A thread of its own writes, since a pipe that nobody reads would block
    the gateway. What it can't get rid of is dropped, and counted.
    """

    def __init__(self, stream: _Stream) -> None:
        """Begin to write what is told."""
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._batches: queue.Queue[bytes | None] = queue.Queue(_BATCHES)
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writer = threading.Thread(target=_write, args=(self._batches, stream), name="log", daemon=True)
        self._writer.start()

    def tell(self, event: Event) -> None:
        """Tell one event; calls are told together, a few times a second."""
        self._lines.append(self._encode(event))
        if not isinstance(event, Called):
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._flush)

    def hint(self, command: str, why: str) -> None:
        """Programs know what they do."""

    def close(self) -> None:
        """Write the last lines, if somebody takes them."""
        with suppress(queue.Full):
            self._batches.put(self._batch(), timeout=_PATIENCE)
            self._batches.put(None, timeout=_PATIENCE)
            self._writer.join(_PATIENCE)

    def _flush(self) -> None:
        count = len(self._lines)
        try:
            self._batches.put_nowait(self._batch())
        except queue.Full:
            self._dropped += count
        else:
            self._dropped = 0

    def _batch(self) -> bytes:
        """What has been told since the last batch, and how much before was dropped."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if self._dropped:
            lines.append(b'{"event":"dropped","lines":%d}' % self._dropped)
        return b"\n".join([*lines, b""])


@contextmanager
def told_to(log: Log, clock: Clock) -> Iterator[None]:
    """Meanwhile, what the program's parts say through `logging` goes into the same log; of others, their warnings."""
    handler = _LogHandler(log, clock)
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)


class _LogHandler(logging.Handler):
    def __init__(self, log: Log, clock: Clock) -> None:
        super().__init__(logging.INFO)
        self._log = log
        self._clock = clock

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.name.startswith(f"{_OURS}.")

    def emit(self, record: logging.LogRecord) -> None:
        # The first line says what; asyncio's others show values, which may be anybody's.
        message, trace = record.getMessage().partition("\n")[0], None
        if record.exc_info and record.exc_info[0] is not None:
            message = f"{message} ({record.exc_info[0].__name__})"
            if os.environ.get("SATISFICE_DEBUG"):
                trace = "".join(traceback.format_exception(*record.exc_info))
        told = Logged(time_ms=self._clock.unix_ms(), level=record.levelname.lower(), message=message, traceback=trace)
        self._log.tell(told)


class _Stream(Protocol):
    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


_OURS: Final = "satisfice"
_PERIOD: Final = 0.1
_BATCHES: Final = 64
_PATIENCE: Final = 1.0


def _write(batches: queue.Queue[bytes | None], stream: _Stream) -> None:
    while (batch := batches.get()) is not None:
        with suppress(OSError, ValueError):  # nobody reads any more; the gateway goes on
            stream.write(batch)
            stream.flush()


def _show(line: str) -> None:
    with suppress(OSError):  # as above
        render.note(f"  {line}")
