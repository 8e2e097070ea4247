"""Watches a stream go by: first output, usage, terminator, truncation; hands on what the caller is to see.

    OPENING ──first real output──> FLOWING ──terminator──> over
       │ held back, nothing is         │ whole events, untouched, but for
       │ committed; errors raise       │ the usage event and the end

Until the first real output each event is read in full, since any of them may
be an error that another offer can mend. After it, an event is read only if it
holds one of the dialect's markers; all others pass as the bytes they came as,
for the price of two substring searches. Only whole events are handed on, so
that a stream which is cut inside one can still be ended with a clean event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Break, Broken
from satisfice.wire.request import Dialect, Frame, FrameKind, Reading, Request
from satisfice.wire.sse import MAX_EVENT, SSEDecoder, ServerSentEvent, encode

__all__ = ["Observation", "StreamObserver"]

_COMMENT: Final = Frame(FrameKind.PREAMBLE)


class Observation(msgspec.Struct, frozen=True, gc=False):
    """What a stream was, seen at its end."""

    usage: Usage | None
    """None: the upstream never said."""
    is_complete: bool
    """The terminator came, or the model said that it was done and the body ended cleanly."""
    has_failed: bool
    """The upstream ended it with an error event of its own, which the caller has."""


class StreamObserver:
    """The watch over one stream."""

    __slots__ = (
        "_before_last",
        "_cost",
        "_decoder",
        "_dialect",
        "_done",
        "_held",
        "_is_final",
        "_last",
        "_shows_usage",
        "_usage",
        "error",
        "has_output",
        "is_over",
        "usage",
    )

    def __init__(self, dialect: Dialect, request: Request, cost: Callable[[Usage], Msat | None]) -> None:
        """Watch for this request; `cost` prices the usage once it is here."""
        self._dialect = dialect
        self._usage, self._done = dialect.markers
        self._shows_usage = request.wants_usage
        self._cost = cost
        self._decoder = SSEDecoder()
        self._held = bytearray()
        self._last = self._before_last = b""
        self._is_final = False
        self.has_output = False
        """The first real output is here."""
        self.is_over = False
        """The terminator is here; what comes after it is nobody's."""
        self.usage: Usage | None = None
        """None: not said yet."""
        self.error: Reading | None = None
        """The upstream has given up, and how; before the first output nobody has seen it but us."""

    def feed(self, data: bytes) -> bytes:
        """What the caller may have now: whole events, and nothing before the first real output.

        `Broken` before the first output if this is no stream of the dialect; at
        any time if one event is too large.
        """
        if (
            self.has_output
            and data[-2:] == b"\n\n"
            and self._usage not in data
            and self._done not in data
            and self._decoder.is_empty
        ):
            self._before_last, self._last = self._last, data
            return data
        out = bytearray()
        for event in self._decoder.feed(data):
            if self.is_over or self._has_failed_early:
                break
            out += self._flowing(event) if self.has_output else self._opening(event)
        return bytes(out)

    def finish(self) -> Observation:
        """The body has ended, or no more of it will be read."""
        if not self.is_over and self.has_output:
            self._look_back()
        has_failed = self.error is not None
        return Observation(self.usage, not has_failed and (self.is_over or self._is_final), has_failed)

    @property
    def _has_failed_early(self) -> bool:
        return self.error is not None and not self.has_output

    def _opening(self, event: ServerSentEvent) -> bytes:
        """Hold the event back, unless a reader would see something of it: then all that was held comes out."""
        frame = _COMMENT if event.data is None else self._dialect.classify(event.event, event.data)
        match frame.kind:
            case FrameKind.PREAMBLE:
                self._held += event.raw
                if len(self._held) > MAX_EVENT:
                    raise Broken(Break.TOO_LARGE, "more preamble than any answer has")
                return b""
            case FrameKind.ERROR:
                self.error = frame.reading
                return b""
            case FrameKind.TERMINATOR:
                raise Broken(Break.CUT, "the stream ended before its first output")
            case FrameKind.OUTPUT | FrameKind.USAGE:
                self.has_output = True
                held = bytes(self._held)
                self._held.clear()
                return held + self._note(frame, event)

    def _flowing(self, event: ServerSentEvent) -> bytes:
        """The event as the caller is to have it."""
        raw = event.raw
        self._before_last, self._last = self._last, raw
        if event.data is None or (self._usage not in raw and self._done not in raw):
            return raw
        try:
            frame = self._dialect.classify(event.event, event.data)
        except Broken:
            return raw  # Too late to try elsewhere, and not ours to judge.
        return self._note(frame, event)

    def _note(self, frame: Frame, event: ServerSentEvent) -> bytes:
        """Keep what the frame says; the cost goes in for callers that want usage, usage goes out for the others."""
        self._is_final = self._is_final or frame.is_final
        if frame.kind is FrameKind.TERMINATOR:
            self.is_over = True
        if frame.kind is FrameKind.ERROR:
            self.error = frame.reading
            return event.raw
        usage = frame.reading.usage if frame.reading else None
        if usage is None:
            return event.raw
        self.usage = usage
        if not self._shows_usage:
            return b"" if frame.kind is FrameKind.USAGE else event.raw
        cost = self._cost(usage)
        if cost is None or event.data is None:
            return event.raw
        return encode(self._dialect.with_cost(event.data, cost), event.event)

    def _look_back(self) -> None:
        """Events pass unread; at an end without a terminator the last ones tell whether the model was done."""
        for event in SSEDecoder().feed(self._before_last + self._last):
            if event.data is None:
                continue
            try:
                frame = self._dialect.classify(event.event, event.data)
            except Broken:
                continue
            self._is_final = self._is_final or frame.is_final
            if frame.kind is FrameKind.ERROR:
                self.error = frame.reading
