"""A script as a timetable: what comes next, and how long after the last."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never

from satisfice.core.errors import Break
from satisfice.transport.script import (
    Body,
    Comment,
    Drip,
    End,
    Event,
    Fault,
    Head,
    ModelAnswer,
    Piece,
    Raw,
    Repeat,
    Script,
    Split,
    Stall,
    Step,
    Wait,
)
from satisfice.wire import sse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Beat", "timetable"]

_SOCKET_READ: Final = 65_536
_CONTENT_TYPE: Final = b"content-type"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class Beat(NamedTuple):
    """The next thing that happens."""

    pause: float
    """Seconds since the one before; infinite if it never happens."""
    news: Head | bytes | Break
    """The head, a piece of the body, or how it breaks. Empty bytes are the end of the body, always the last."""


def timetable(script: Script, demo: Callable[[], Script]) -> Iterator[Beat]:
    """All that happens, in order; `demo` gives the demo model's answer, if the script wants it."""
    return _beats(tuple(_plain(script.steps, demo)))


_Plain: TypeAlias = Head | Piece | Wait | Split | Drip | Fault | Stall


def _plain(steps: Iterable[Step], demo: Callable[[], Script]) -> Iterator[_Plain]:
    """The steps with what stands for others unrolled, up to the end."""
    piece: Piece = Raw(b"")
    for step in steps:
        match step:
            case End():
                return
            case ModelAnswer(events):
                yield from _first(_plain(demo().steps, demo), events)
            case Repeat(times):
                yield from itertools.repeat(piece, times)
            case Event() | Comment() | Body() | Raw():
                piece = step
                yield step
            case _:
                yield step


def _first(steps: Iterable[_Plain], count: int | None) -> Iterator[_Plain]:
    """The steps up to so many pieces."""
    pieces = 0
    for step in steps:
        pieces += isinstance(step, Piece)
        if count is not None and pieces > count:
            return
        yield step


def _beats(steps: Sequence[_Plain]) -> Iterator[Beat]:
    pause = drip = 0.0
    size = _SOCKET_READ
    has_begun = False
    for place, step in enumerate(steps, 1):
        match step:
            case Wait(seconds):
                pause += seconds
            case Drip(seconds):
                drip = seconds
            case Split(length):
                size = length or _SOCKET_READ
            case Head():
                yield Beat(pause, _typed(step, steps[place:]))
                pause = 0.0
            case Fault(kind):
                yield Beat(math.inf if kind is Break.CONNECT_TIMEOUT else pause, kind)
                return
            case Stall():
                yield Beat(math.inf, b"")
                return
            case _:
                for piece in _cut(_bytes(step), size):
                    yield Beat(pause + drip if has_begun else pause, piece)
                    pause, has_begun = 0.0, True
    yield Beat(pause, b"")


def _typed(head: Head, after: Iterable[_Plain]) -> Head:
    """With the content type that the first piece of the body implies, unless it has one."""
    if any(name == _CONTENT_TYPE for name, _ in head.headers):
        return head
    first = next((step for step in after if isinstance(step, Piece)), None)
    match first:
        case Event() | Comment():
            kind = b"text/event-stream"
        case Body():
            kind = b"application/json"
        case _:
            return head
    return Head(head.status, (*head.headers, (_CONTENT_TYPE, kind)))


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _bytes(piece: Piece) -> bytes:
    match piece:
        case Event(data):
            return sse.encode(data.encode())
        case Comment(text):
            return b"".join(b": %b\n" % line for line in _LINE_END.split(text.encode())) + b"\n"
        case Body(text):
            return text.encode()
        case Raw(raw):
            return raw
        case _:
            assert_never(piece)
