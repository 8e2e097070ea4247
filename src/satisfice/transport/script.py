"""Scripts: what an upstream does with one request, step by step, as values and by a fluent builder.

    Script().head(200).event('{"choices":[]}').cut()

Their text form is in `transport.script_text`, what plays them in `transport.scripted`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from satisfice.core.errors import Break

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from satisfice.ports import Headers

__all__ = [
    "CONNECTING",
    "FAULTS",
    "Body",
    "Comment",
    "Drip",
    "End",
    "Event",
    "Fault",
    "Head",
    "Misplaced",
    "ModelAnswer",
    "Piece",
    "Raw",
    "Repeat",
    "Script",
    "Split",
    "Stall",
    "Step",
    "Wait",
    "words",
]

CONNECTING: Final = (Break.REFUSED, Break.UNREACHABLE, Break.CONNECT_TIMEOUT, Break.TLS, Break.PROXY)
"""How a connection can fail before it stands."""

FAULTS: Final = (*CONNECTING, Break.CUT, Break.MALFORMED)
"""How a script can break. The other ways to break are consequences: of `Stall`, or of more bytes than allowed."""


class Head(NamedTuple):
    """The head arrives. A content type that isn't given follows from what the body begins with."""

    status: int
    headers: Headers = ()


class Event(NamedTuple):
    """A server-sent event with this data."""

    data: str


class Comment(NamedTuple):
    """A comment in a stream of events."""

    text: str


class Body(NamedTuple):
    """A body that is no stream, JSON as a rule, or a part of it."""

    text: str


class Raw(NamedTuple):
    """Bytes of the body as they are."""

    data: bytes


class Repeat(NamedTuple):
    """The piece before this step comes so many times more."""

    times: int


class ModelAnswer(NamedTuple):
    """What the demo model answers to this very request, head and all."""

    events: int | None = None
    """Only so many events of it, after which the script goes on; None: the whole, to its end."""


class Wait(NamedTuple):
    """So many seconds pass."""

    seconds: float


class Split(NamedTuple):
    """From here on pieces have at most so many bytes; 0: as many as one read of a socket gives."""

    size: int


class Drip(NamedTuple):
    """From here on so many seconds lie between two pieces."""

    seconds: float


class Fault(NamedTuple):
    """The attempt breaks, in one of the ways in `FAULTS`; `CONNECT_TIMEOUT` takes its time."""

    kind: Break


class Stall(NamedTuple):
    """Nothing comes and nothing closes, until a timeout strikes."""


class End(NamedTuple):
    """A clean end of the body, as at the end of every script."""


Piece = Event | Comment | Body | Raw
"""A step that puts bytes of a body on the wire."""

Step = Head | Piece | Repeat | ModelAnswer | Wait | Split | Drip | Fault | Stall | End
"""Anything an upstream can do."""


class Misplaced(ValueError):
    """A step where it can't stand."""


@dataclass(frozen=True, slots=True)
class Script:
    """What an upstream does with one request.

    Each method gives a new script with more at its end, or a `ValueError` for
    an impossible value, or `Misplaced` for a step that can't stand there.
    """

    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Script:
        """These steps as they are."""
        played = list(self.steps)
        for step in steps:
            _check_value(step)
            _check_place(step, played)
            played.append(step)
        return Script(tuple(played))

    def head(self, status: int, headers: Mapping[str, str] = MappingProxyType({})) -> Script:
        """The head of the answer."""
        fields = tuple((name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items())
        return self.then(Head(status, fields))

    def answer(self, events: int | None = None) -> Script:
        """What the demo model answers, or its first events only."""
        return self.then(ModelAnswer(events))

    def event(self, data: str) -> Script:
        """A server-sent event."""
        return self.then(Event(data))

    def role(self) -> Script:
        """The event that begins a chat stream and shows nothing yet."""
        return self.then(_chunk('{"role":"assistant","content":""}'))

    def say(self, text: str) -> Script:
        """Output of a chat stream, an event a word."""
        return self.then(*(_chunk(f'{{"content":{_json(word)}}}') for word in words(text)))

    def big(self, size: int) -> Script:
        """Output of a chat stream as one event of exactly so many bytes."""
        padding = size - len(_chunk('{"content":""}').data) - len("data: \n\n")
        if padding < 0:
            raise ValueError(f"an event of a chat stream has at least {size - padding} bytes")
        return self.then(_chunk(f'{{"content":"{"x" * padding}"}}'))

    def finish(self, reason: str = "stop") -> Script:
        """The event with the finish reason."""
        return self.then(_chunk("{}", finish=_json(reason)))

    def usage(self, prompt: int, completion: int) -> Script:
        """The event with the token counts."""
        return self.then(Event(_USAGE % (prompt, completion, prompt + completion)))

    def done(self) -> Script:
        """`[DONE]`, the terminator of a chat stream."""
        return self.then(Event("[DONE]"))

    def comment(self, text: str) -> Script:
        """A comment in a stream."""
        return self.then(Comment(text))

    def body(self, text: str) -> Script:
        """A body that is no stream."""
        return self.then(Body(text))

    def raw(self, data: bytes) -> Script:
        """Bytes as they are."""
        return self.then(Raw(data))

    def repeat(self, times: int) -> Script:
        """The piece before so many times more."""
        return self.then(Repeat(times))

    def wait(self, seconds: float) -> Script:
        """A pause."""
        return self.then(Wait(seconds))

    def split(self, size: int) -> Script:
        """Pieces of at most so many bytes."""
        return self.then(Split(size))

    def drip(self, seconds: float) -> Script:
        """A pause between any two pieces."""
        return self.then(Drip(seconds))

    def fault(self, kind: Break) -> Script:
        """Break in this way."""
        return self.then(Fault(kind))

    def refuse(self) -> Script:
        """Refuse the connection."""
        return self.fault(Break.REFUSED)

    def cut(self) -> Script:
        """Cut the connection."""
        return self.fault(Break.CUT)

    def stall(self) -> Script:
        """Fall silent."""
        return self.then(Stall())

    def end(self) -> Script:
        """End the body."""
        return self.then(End())


def words(text: str) -> list[str]:
    """The text cut before the space in front of each word, as models stream it; joined they are the text again."""
    return re.findall(r"\s*\S+(?:\s+\Z)?|\s+", text)


_CHUNK: Final = '{"id":"chatcmpl-script","object":"chat.completion.chunk","created":0,"model":"script","choices":'
_USAGE: Final = _CHUNK + '[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}'


def _chunk(delta: str, finish: str = "null") -> Event:
    return Event(f'{_CHUNK}[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}')


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _check_value(step: Step) -> None:
    match step:
        case Head(status) if not 200 <= status < 600:
            raise ValueError("a status is between 200 and 599")
        case Wait(seconds) | Drip(seconds) if not 0 <= seconds < math.inf:
            raise ValueError("a time in seconds is 0 or more")
        case Split(size) if size < 0:
            raise ValueError("a size is 0 or more")
        case Repeat(count) | ModelAnswer(int(count)) if count < 1:
            raise ValueError("a count is 1 or more")
        case Fault(kind) if kind not in FAULTS:
            raise ValueError(f"{kind.name} is a consequence of other steps, such as `stall`")


def _check_place(step: Step, before: Sequence[Step]) -> None:
    has_head = any(isinstance(each, Head | ModelAnswer) for each in before)
    match before[-1:], step:
        case [Fault() | Stall() | End() | ModelAnswer(None)], _:
            raise Misplaced("the script has come to its end before this step")
        case [last], Repeat() if isinstance(last, Piece):
            return
        case _, Repeat():
            raise Misplaced("`repeat` stands right after the piece that it repeats")
        case _, Head() | ModelAnswer() if has_head:
            raise Misplaced("the head has been sent before this step")
        case _, Event() | Comment() | Body() | Raw() | End() if not has_head:
            raise Misplaced("a `head` has to come before this step")
        case _, Fault(kind) if has_head and kind in CONNECTING:
            raise Misplaced("the connection stands before this step: it can only be `cut`")
