"""Events in words, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from satisfice.cli.events import (
    Called,
    Event,
    Flaw,
    Logged,
    Looked,
    NotReloaded,
    Provider,
    Ready,
    Reloaded,
    Stopped,
    Stopping,
)
from satisfice.cli.render import bad, doubtful, good, literal
from satisfice.core.amounts import Msat, show_msat

__all__ = ["count", "say", "say_first"]


def say(event: Event) -> str:
    """An event in a line."""
    match event:
        case Ready():
            return _ready(event)
        case Provider():
            return _provider(event)
        case Looked():
            return _looked(event)
        case Called():
            return f"{_MARKS[event.outcome]} {_call(event)}"
        case Reloaded():
            return "\n  ".join(_reloaded(event))
        case NotReloaded():
            return "\n  ".join(_not_reloaded(event))
        case Logged():
            shown = f"{_LEVELS.get(event.level, bad('!'))} {event.message}"
            return f"{shown}\n{event.traceback}" if event.traceback else shown
        case Stopping():
            calls = f"; {count(event.open_calls, 'open call')} may go on for {event.seconds:g} s (Ctrl-C cuts them off)"
            return "stopping" + calls * bool(event.open_calls)
        case Stopped():
            return "stopped" + (f"; {count(event.cut_calls, 'call')} cut off" if event.cut_calls else "")
        case _ as never:
            assert_never(never)


def say_first(event: Called) -> str:
    """The first call that is answered: the proof that all works."""
    return f"{good('✓')} first call: {_call(event)}"


def count(number: int, noun: str) -> str:
    """`1 model`, `2,000 models`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


_DASH: Final = "\N{EN DASH}"
_MARKS: Final[Mapping[str, str]] = {
    "answered": good("✓"),
    "refused": doubtful(_DASH),
    "failed": bad("✗"),
    "cut": bad("✗"),
    "left": doubtful(_DASH),
}
_LEVELS: Final[Mapping[str, str]] = {"info": good("✓"), "warning": doubtful("!")}
_WHERE: Final = 20
_PROVIDER: Final = 12
_WIDTH: Final = 96


def _ready(event: Ready) -> str:
    if event.is_demo:
        about = "demo: scripted providers, no keys, no money, nothing leaves this machine"
    else:
        about = event.config or "no config file, using what is here (`satisfice init` writes it down)"
    key = "send the access token as the key" if event.needs_token else "the key can be anything"
    api = literal(f"{event.url}/v1")
    return f"satisfice {event.version} · {about}\n\n  API  {api}  for any OpenAI client; {key}\n"


def _provider(event: Provider) -> str:
    where = f"{event.where:<{_WHERE}} " if event.where else ""
    head = f"{where}{event.provider:<{_PROVIDER}} "
    if event.failure is not None:
        return f"{doubtful('!')} {head}{event.failure}"
    return f"{good('✓')} {head}{count(event.models, 'model')}{', free' * event.is_free}"


def _looked(event: Looked) -> str:
    lines = []
    if event.absent:
        absent = textwrap.wrap(f"not here: {', '.join(event.absent)}", _WIDTH, break_on_hyphens=False)
        lines.append(f"{doubtful(_DASH)} " + "\n    ".join(absent) + "\n")
    if event.models:
        lines.append(f"{count(event.models, 'model')} from {count(event.providers, 'provider')}, cheapest first")
    else:
        lines.append(f"{bad('!')} no models yet: no provider has answered with any")
    if event.silent:
        lines.append(f"{doubtful('!')} no answer yet from {', '.join(event.silent)}")
    return "\n  ".join(lines)


def _reloaded(event: Reloaded) -> Iterator[str]:
    others = f"; {count(event.open_calls, 'open call')} as before" if event.open_calls else ""
    yield f"{good('✓')} new calls go by {event.config} as it is now{others}"
    if event.needs_restart:
        yield f"{doubtful('!')} only a restart can change {', '.join(event.needs_restart)}"
    yield from map(_flaw, event.problems)


def _not_reloaded(event: NotReloaded) -> Iterator[str]:
    what = "nothing to read again" if event.config is None else f"{event.config} can't be used"
    yield f"{bad('✗')} {what}: {event.reason}; all stays as it was"
    yield from map(_flaw, event.problems)


def _flaw(flaw: Flaw) -> str:
    place = f"{flaw.file}:{flaw.line}:{flaw.column}" if flaw.line else flaw.file
    return f"  {place}: {flaw.severity}[{flaw.code}]: {flaw.message}: {flaw.hint}"


def _call(event: Called) -> str:
    return ", ".join(_story(event))


def _story(event: Called) -> Iterator[str]:
    match event.outcome:
        case "answered":
            yield f"{event.model} via {event.provider}"
        case "refused":
            yield f"{event.model}: a provider refused the request itself"
        case "failed":
            yield f"{event.model}: nobody answered"
        case "cut":
            yield f"{event.model} via {event.provider}, cut off"
        case "left":
            yield f"{event.model}: the caller left"
        case _ as never:
            assert_never(never)
    yield _seconds(event.seconds)
    if event.outcome == "answered":
        yield "cost not known" if event.cost_msat is None else _cost(event.cost_msat)
    if event.failures:
        yield "after " + ", ".join(f"{each.provider} ({each.why})" for each in event.failures)


def _cost(cost: Msat) -> str:
    return show_msat(cost) if cost else "free"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1_000:.0f} ms"
