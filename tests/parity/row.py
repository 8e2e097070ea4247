"""One line of a comparison with arbstr, the gateway of this kind that was there before."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from satisfice.core.clock import ManualClock

__all__ = ["Play", "Row"]


class Play(Protocol):
    """Happens in virtual time, before scripted providers, and asserts what comes of it."""

    __name__: str

    def __call__(self, clock: ManualClock, /) -> Awaitable[None]: ...


class Row(NamedTuple):
    """What becomes here of something that the other system does, and where that can be seen."""

    id: str
    theirs: str
    """What it does."""
    ours: str
    """What we do."""
    shown: tuple[Play | str, ...] = ()
    """By plays, by tests (`tests/wire/test_sse.py::test_a`), by cases of the corpus (`tests/corpus/config/a.test`)."""
    later: str | None = None
    """What of it is to come, and with what; None: nothing."""
