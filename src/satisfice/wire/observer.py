"""Watches a stream go by: first output, usage, terminator, truncation; hands on what the caller is to see.

    OPENING ──first real output──> FLOWING ──terminator──> over
       │ held back, nothing is         │ whole events, untouched, but for
       │ committed; errors raise       │ the usage event and the end

Until the first real output each event is read in full, since any of them may
be an error that another offer can mend. After it, an event is read only if it
holds one of the dialect's markers; all others pass as the bytes they came as,
for the price of two substring searches, and only the last of them are read
when the stream has ended. Only whole events are handed on, so that a stream
which is cut inside one can still be ended with a clean event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Break, Broken
from satisfice.wire.request import Dialect, Frame, FrameKind, Reading, Request
from satisfice.wire.sse import MAX_EVENT, ServerSentEvent, SSEDecoder, encode

__all__ = ["Observation", "StreamObserver"]

_COMMENT: Final = Frame(FrameKind.PREAMBLE)
_ENDING: Final = 3
"""Among so many unread events at the end is the one that says why it is the end: a finish reason or an error."""


class Observation(msgspec.Struct, frozen=True, gc=False):
    """What a stream was, seen at its end."""

    usage: Usage | None
    """None: the upstream never said."""
    is_complete: bool
    """The terminator came, or the model said that it was done (which is enough if the body ended cleanly)."""
    has_failed: bool
    """The upstream ended it with an error event of its own, which the caller has."""
    rest: bytes
    """A last event for the caller: it came whole, but the body ended without the blank line behind it."""


class StreamObserver:
    """The watch over one stream."""

    __slots__ = (
        "_before_last",
        "_cost",
        "_decoder",
        "_dialect",
        "_done",
        "_held",
        "_is_clear",
        "_is_final",
        "_last",
        "_request",
        "_usage",
        "charged",
        "error",
        "has_output",
        "is_over",
        "usage",
    )

    def __init__(self, dialect: Dialect, request: Request, *, cost: Callable[[Usage], Msat | None]) -> None:
        """Watch for this request; `cost` prices the usage once it is here."""
        self._dialect = dialect
        self._usage, self._done = dialect.markers
        self._request = request
        self._cost = cost
        self._decoder = SSEDecoder()
        self._held = bytearray()
        self._last = self._before_last = b""
        self._is_final = False
        self._is_clear = False  # the answer flows, and no part of an event is kept back
        self.has_output = False
        """The first real output is here."""
        self.is_over = False
        """The terminator is here; what comes after it is nobody's."""
        self.usage: Usage | None = None
        """None: not said yet."""
        self.charged: Msat | None = None
        """What the upstream says it took; None: it didn't."""
        self.error: Reading | None = None
        """The upstream has given up, and how; before the first output nobody has seen it but us."""

    def feed(self, data: bytes) -> bytes:
        """What the caller may have now: whole events, and nothing before the first real output.

        `Broken` before the first output if this is no stream of the dialect; at
        any time if one event is too large.
        """
        if (
            self._is_clear
            and data[-2:] == b"\n\n"
            and data[:5] == b"data:"
            and self._usage not in data
            and self._done not in data
        ):
            self._before_last, self._last = self._last, data
            return data
        out = bytearray()
        for event in self._decoder.feed(data):
            if self.is_over or self._has_failed_early:
                break
            out += self._flowing(event) if self.has_output else self._opening(event)
        self._is_clear = self._is_flowing and self._decoder.is_empty
        return bytes(out)

    def finish(self) -> Observation:
        """The body has ended, or no more of it will be read."""
        rest = self._complete()
        self._look_back()
        has_failed = self.error is not None
        # With several choices, that one of them is done says nothing of the others.
        is_done = self.is_over or (self._is_final and self._request.choices == 1)
        return Observation(self.usage, is_done and not has_failed, has_failed, rest)

    @property
    def _is_flowing(self) -> bool:
        return self.has_output and not self.is_over

    @property
    def _has_failed_early(self) -> bool:
        return self.error is not None and not self.has_output

    def _opening(self, event: ServerSentEvent) -> bytes:
        """Hold the event back, unless a reader would see something of it: then all that was held comes out."""
        frame = _COMMENT if event.data is None else self._dialect.classify(event.event, event.data)
        if frame.kind is FrameKind.TERMINATOR:
            raise Broken(Break.CUT, "the stream ended before its first output")
        out = self._note(frame, event)
        if frame.kind is FrameKind.ERROR:
            return b""
        self._held += out
        if frame.kind is FrameKind.OUTPUT:
            self.has_output = True
            held = bytes(self._held)
            self._held.clear()
            return held
        if len(self._held) > MAX_EVENT:
            raise Broken(Break.TOO_LARGE, "more preamble than any answer has")
        return b""

    def _flowing(self, event: ServerSentEvent) -> bytes:
        """The event as the caller is to have it."""
        raw = event.raw
        if event.data is None:
            return raw
        if self._usage not in raw and self._done not in raw:
            self._before_last, self._last = self._last, raw
            return raw
        frame = self._read(event)
        return raw if frame is None else self._note(frame, event)

    def _read(self, event: ServerSentEvent) -> Frame | None:
        """None if it is nothing of the dialect: it is too late to try elsewhere, and not ours to judge."""
        try:
            return None if event.data is None else self._dialect.classify(event.event, event.data)
        except Broken:
            return None

    def _note(self, frame: Frame, event: ServerSentEvent) -> bytes:
        """Keep what the frame says; the cost goes in for callers that want usage, usage goes out for the others."""
        self._is_final = self._is_final or frame.is_final
        if frame.kind is FrameKind.TERMINATOR:
            self.is_over = True
        if frame.kind is FrameKind.ERROR:
            self.error = frame.reading
        elif frame.reading is not None:
            if frame.reading.charged is not None:
                self.charged = frame.reading.charged
            if frame.reading.usage is not None:
                self.usage = frame.reading.usage
                if self._request.wants_usage:
                    return self._priced(event, self.usage)
        if frame.kind is FrameKind.USAGE and not self._request.wants_usage:
            return b""
        return event.raw

    def _priced(self, event: ServerSentEvent, usage: Usage) -> bytes:
        cost = self._cost(usage)
        if cost is None or event.data is None:
            return event.raw
        return encode(self._dialect.with_cost(event.data, cost), event.event)

    def _complete(self) -> bytes:
        """Some upstreams end the body right behind the last event; without its blank line no reader would see it."""
        event = self._decoder.finish()
        if event is None or not self._is_flowing:
            return b""
        frame = self._read(event)
        return b"" if frame is None else self._note(frame, event)

    def _look_back(self) -> None:
        """Read the last events that passed unread: was the model done, did the upstream give up?"""
        unread = self._last if self.is_over else self._before_last + self._last
        for event in SSEDecoder().feed(unread)[-_ENDING:]:
            frame = self._read(event)
            if frame is None:
                continue
            self._is_final = self._is_final or frame.is_final
            if frame.kind is FrameKind.ERROR:
                self.error = frame.reading
