"""Tells events as they happen: to people, a line on stderr; to programs, a line of JSON on stdout."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import traceback
from typing import IO, Final, Protocol

import msgspec

from satisfice.cli import render
from satisfice.cli.events import Called, Event, Logged
from satisfice.cli.wording import say, say_first
from satisfice.core.clock import Clock

__all__ = ["JSONLog", "Log", "LogHandler", "TextLog"]


class Log(Protocol):
    """Where events are told."""

    def tell(self, event: Event) -> None:
        """Tell one event, without ever waiting for a reader."""
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
        if isinstance(event, Called) and event.outcome == "answered":
            is_first, self._has_proof = not self._has_proof, True
            if is_first and not self._is_verbose:
                render.note(f"  {say_first(event)}")
                return
            if not self._is_verbose:
                return
        render.note(f"  {say(event)}")

    def hint(self, command: str, why: str) -> None:
        """What to do next."""
        render.next_step(command, why)

    def close(self) -> None:
        """Nothing is held back."""


class JSONLog:
    """For programs: every event as one line of JSON.

    A thread of its own writes, since a pipe that nobody reads would block
    the gateway. What it can't get rid of is dropped, and counted.
    """

    def __init__(self, stream: IO[bytes]) -> None:
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
        self._flush()
        try:
            self._batches.put(None, timeout=_PATIENCE)
        except queue.Full:
            return
        self._writer.join(_PATIENCE)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dropped:
            self._lines.append(b'{"event":"dropped","lines":%d}' % self._dropped)
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self._batches.put_nowait(b"\n".join([*lines, b""]))
        except queue.Full:
            self._dropped += len(lines) - bool(self._dropped)
        else:
            self._dropped = 0


class LogHandler(logging.Handler):
    """Brings what the program's parts say through `logging` into the same log."""

    def __init__(self, log: Log, clock: Clock) -> None:
        """For warnings and worse."""
        super().__init__(logging.WARNING)
        self._log = log
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        message, trace = record.getMessage(), None
        if record.exc_info and record.exc_info[0] is not None:
            message = f"{message} ({record.exc_info[0].__name__})"
            if os.environ.get("SATISFICE_DEBUG"):
                trace = "".join(traceback.format_exception(*record.exc_info))
        told = Logged(time_ms=self._clock.unix_ms(), level=record.levelname.lower(), message=message, traceback=trace)
        self._log.tell(told)


_PERIOD: Final = 0.1
_BATCHES: Final = 64
_PATIENCE: Final = 1.0


def _write(batches: queue.Queue[bytes | None], stream: IO[bytes]) -> None:
    while (batch := batches.get()) is not None:
        try:
            stream.write(batch)
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more: what is told is dropped, and the gateway goes on
            return
