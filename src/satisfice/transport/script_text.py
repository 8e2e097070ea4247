"""The text form of scripts, so that users can write what an upstream does and send in what broke.

    head 200 content-type=text/event-stream
    role
    say Hello there
    cut

One step a line; `GRAMMAR` has them all. Empty lines and lines beginning with
`#` say nothing. A text that begins or ends with a space, begins with a
quotation mark or holds a control character is written as a JSON string.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

import msgspec

from satisfice.core.errors import Break
from satisfice.transport.script import (
    FAULTS,
    Body,
    Comment,
    Drip,
    End,
    Event,
    Fault,
    Head,
    Misplaced,
    ModelAnswer,
    Raw,
    Repeat,
    Script,
    Split,
    Stall,
    Step,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from satisfice.ports import Headers

__all__ = ["GRAMMAR", "BadScript", "Mistake", "Word", "parse", "render"]


class Mistake(NamedTuple):
    """Something wrong in a text."""

    line: int
    """From 1."""
    message: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.file else f"line {self.line}: {self.message}"


class BadScript(ValueError):
    """A text that is no script."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        """With all that is wrong in it, top down."""
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class Word(NamedTuple):
    """A word that a line can begin with."""

    form: str
    """How the line is written."""
    meaning: str
    """What the upstream then does."""
    build: Callable[[Script, str], Script]
    """The script with what the rest of the line says at its end, or a `ValueError`."""


def parse(text: str) -> Script:
    """The script that a text says, or `BadScript`."""
    script = Script()
    mistakes: list[Mistake] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            script = _with_line(script, line.strip())
        except Misplaced as error:
            if not mistakes:  # else the step may only be misplaced because one before it couldn't be read
                mistakes.append(Mistake(number, str(error)))
        except ValueError as error:
            mistakes.append(Mistake(number, str(error)))
    if not mistakes and not any(isinstance(step, Head | ModelAnswer | Fault | Stall) for step in script.steps):
        mistakes.append(Mistake(len(lines), "the script neither answers nor fails: add `answer`, `head` or `refuse`"))
    if mistakes:
        raise BadScript(tuple(mistakes))
    return script


def render(script: Script) -> str:
    """The text that `parse` reads as this script."""
    return "".join(f"{_line(step)}\n" for step in script.steps)


def _with_line(script: Script, line: str) -> Script:
    if not line or line.startswith("#"):
        return script
    name, *rest = line.split(maxsplit=1)
    word = GRAMMAR.get(name)
    if word is None:
        near = get_close_matches(name, GRAMMAR, n=1)
        meant = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(GRAMMAR)}"
        raise ValueError(f"`{name}` is no step: {meant}")
    try:
        return word.build(script, "".join(rest))
    except Misplaced:
        raise
    except ValueError as error:
        raise ValueError(f"{error}: write `{word.form}`") from error


def _nothing(text: str) -> None:
    if text:
        raise ValueError("nothing may follow")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a whole number" if text else "a number has to follow") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a number of seconds" if text else "a number has to follow") from None


def _text(text: str) -> str:
    if not text:
        raise ValueError("something has to follow")
    return _unquoted(text) if text.startswith('"') else text


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        raise ValueError(f"{text} is not a JSON string") from None


def _bare(build: Callable[[Script], Script]) -> Callable[[Script, str], Script]:
    def with_nothing(script: Script, rest: str) -> Script:
        _nothing(rest)
        return build(script)

    return with_nothing


def _fault(script: Script, rest: str) -> Script:
    kind = {_named(kind): kind for kind in FAULTS}.get(rest)
    if kind is None:
        raise ValueError(f"`{rest}` is no way to break")
    return script.fault(kind)


def _named(kind: Break) -> str:
    return kind.name.lower().replace("_", "-")


def _usage(script: Script, rest: str) -> Script:
    prompt, _, completion = rest.partition(" ")
    return script.usage(_integer(prompt), _integer(completion.strip()))


# A field's value is one word, or a JSON string.
_FIELD: Final = re.compile(r'([!-<>-~]+)=("(?:[^"\\]|\\.)*"|[!#-~][!-~]*)(?:\s+|\Z)')


def _head(script: Script, rest: str) -> Script:
    status, _, fields = rest.partition(" ")
    return script.then(Head(_integer(status), tuple(_fields(fields.strip()))))


def _fields(text: str) -> Iterator[tuple[bytes, bytes]]:
    while text:
        field = _FIELD.match(text)
        if field is None:
            raise ValueError(f"`{text}` is not `name=value`")
        name, value = field.groups()
        yield name.lower().encode("ascii"), (_unquoted(value) if value.startswith('"') else value).encode("latin-1")
        text = text[field.end() :]


GRAMMAR: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "answer": Word(
            "answer [EVENTS]",
            "answers as the demo model does; with a number, only so many events of it",
            lambda script, rest: script.answer(_integer(rest) if rest else None),
        ),
        "head": Word("head STATUS [NAME=VALUE ...]", "sends the head", _head),
        "event": Word("event DATA", "sends a server-sent event", lambda script, rest: script.event(_text(rest))),
        "role": Word("role", "begins a chat stream, with nothing to see yet", _bare(Script.role)),
        "say": Word("say TEXT", "streams words, an event each", lambda script, rest: script.say(_text(rest))),
        "big": Word("big BYTES", "streams one event of so many bytes", lambda script, rest: script.big(_integer(rest))),
        "finish": Word("finish REASON", "says why it stops", lambda script, rest: script.finish(_text(rest))),
        "usage": Word("usage PROMPT COMPLETION", "counts the tokens", _usage),
        "done": Word("done", "sends `[DONE]`", _bare(Script.done)),
        "comment": Word("comment TEXT", "sends a comment", lambda script, rest: script.comment(_text(rest))),
        "body": Word("body TEXT", "sends a body that is no stream", lambda script, rest: script.body(_text(rest))),
        "raw": Word("raw TEXT", "sends this and nothing around it", lambda s, rest: s.raw(_text(rest).encode())),
        "hex": Word("hex DIGITS", "sends these bytes", lambda script, rest: script.raw(bytes.fromhex(rest))),
        "repeat": Word(
            "repeat TIMES", "sends the last piece again", lambda script, rest: script.repeat(_integer(rest))
        ),
        "wait": Word("wait SECONDS", "pauses", lambda script, rest: script.wait(_seconds(rest))),
        "split": Word(
            "split BYTES",
            "cuts what follows into pieces of so many bytes; 0: no more",
            lambda script, rest: script.split(_integer(rest)),
        ),
        "drip": Word(
            "drip SECONDS",
            "pauses between any two pieces that follow; 0: no more",
            lambda script, rest: script.drip(_seconds(rest)),
        ),
        "refuse": Word("refuse", "refuses the connection", _bare(Script.refuse)),
        "fault": Word(f"fault {'|'.join(map(_named, FAULTS))}", "breaks in this way", _fault),
        "cut": Word("cut", "cuts the connection", _bare(Script.cut)),
        "stall": Word("stall", "falls silent until a timeout strikes", _bare(Script.stall)),
        "end": Word("end", "ends the body, as the end of the script does", _bare(Script.end)),
    }
)
"""What a line can begin with."""


def _line(step: Step) -> str:
    name = type(step).__name__.lower()
    match step:
        case Event(text) | Comment(text) | Body(text):
            return f"{name} {_quoted(text)}"
        case Repeat(number) | Wait(number) | Split(number) | Drip(number):
            return f"{name} {number}"
        case Stall() | End():
            return name
        case Head(status, headers):
            return " ".join([f"head {status}", *_rendered(headers)])
        case ModelAnswer(events):
            return f"answer {events or ''}".rstrip()
        case Raw(data):
            return _raw_line(data)
        case Fault(kind):
            return {Break.REFUSED: "refuse", Break.CUT: "cut"}.get(kind, f"fault {_named(kind)}")
        case _:
            assert_never(step)


def _rendered(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        text = value.decode("latin-1")
        is_word = re.fullmatch(r"[!#-~][!-~]*", text)
        yield f"{name.decode('ascii')}={text if is_word else _json(text)}"


def _raw_line(data: bytes) -> str:
    try:
        return f"raw {_quoted(data.decode())}"
    except UnicodeDecodeError:
        return f"hex {data.hex()}"


def _quoted(text: str) -> str:
    is_plain = text and text == text.strip() and not text.startswith('"') and not re.search(r"[\0-\x1f]", text)
    return text if is_plain else _json(text)


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
