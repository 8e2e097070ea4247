"""The test of a machine as a little play: it is told what happens, it is expected to do something.

    (
        Play(Call(2, a_pacing(hedge_after=1.5), expires_at=60.0))
        .start()
        .expect(Open(0, rank=0), Wake(1.5))
        .tell(Woke(), after=1.5)
        .expect(Open(1, rank=1))
    )

When the machine does something else, the failure shows the whole play in two
columns. What it did after the last line must be expected as well, if only
with an empty `expect()`: a play that stops before, or never starts, complains.
"""

from __future__ import annotations

from typing import Generic, Protocol, Self, TypeVar

import pytest

__all__ = ["Machine", "Play"]

_Event = TypeVar("_Event")
_Command = TypeVar("_Command")
_Event_contra = TypeVar("_Event_contra", contravariant=True)
_Command_co = TypeVar("_Command_co", covariant=True)


class Machine(Protocol[_Event_contra, _Command_co]):
    """Anything that is told events and answers with commands."""

    def start(self, now: float) -> tuple[_Command_co, ...]:
        """What to do first."""
        ...

    def tell(self, event: _Event_contra, now: float) -> tuple[_Command_co, ...]:
        """What to do about this event."""
        ...


class Play(Generic[_Event, _Command]):
    """One run of one machine, from time 0."""

    def __init__(self, machine: Machine[_Event, _Command]) -> None:
        """Nothing happens before `start`."""
        self._machine = machine
        self._now = 0.0
        self._script: list[tuple[str, str, str]] = []
        self._unexpected: tuple[_Command, ...] | None = None
        self._complaint = "never started"

    def start(self) -> Self:
        """Let the machine begin."""
        __tracebackhide__ = True
        return self._told("start", self._machine.start(self._now))

    def tell(self, event: _Event, *, after: float = 0.0) -> Self:
        """Tell the machine, so many seconds after the line before."""
        __tracebackhide__ = True
        if self._unexpected is not None:
            self._fail("is told more before anybody said what it was to do")
        self._now += after
        return self._told(repr(event), self._machine.tell(event, self._now))

    def expect(self, *commands: _Command) -> Self:
        """All that the machine did when it was told last, in order."""
        __tracebackhide__ = True
        if self._unexpected is None:
            self._fail("was told nothing since it did what was expected")
        # Named tuples of different types are equal if their fields are.
        if [(type(each), each) for each in self._unexpected or ()] != [(type(each), each) for each in commands]:
            self._script.append(("", "… was expected to do", _listed(commands)))
            self._fail("did something else")
        self._unexpected = None
        self._complaint = ""
        return self

    def __del__(self) -> None:
        """Complain; pytest makes the test fail of which nobody hears otherwise."""
        if self._complaint:
            raise AssertionError(self._told_so_far(self._complaint))

    def _told(self, event: str, commands: tuple[_Command, ...]) -> Self:
        self._unexpected = commands
        self._complaint = "left before the end: what it did last was not expected"
        self._script.append((f"{self._now:g} s", event, _listed(commands)))
        return self

    def _fail(self, complaint: str) -> None:
        __tracebackhide__ = True
        self._complaint = ""
        pytest.fail(self._told_so_far(complaint))

    def _told_so_far(self, complaint: str) -> str:
        lines = [("", "told", "did"), *self._script]
        widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
        columns = "\n".join(f"{at:>{widths[0]}}  {told:<{widths[1]}}  {did}".rstrip() for at, told, did in lines)
        return f"the machine {complaint}\n\n{columns}"


def _listed(commands: tuple[object, ...]) -> str:
    return ", ".join(map(repr, commands)) or "nothing"
