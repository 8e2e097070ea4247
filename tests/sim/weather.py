"""What befalls providers, and when: outages, brown-outs and spells at the limit."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from satisfice.core.clock import ManualClock

__all__ = ["Sky", "Spell", "Weather", "Window", "weather"]


class Sky(Enum):
    """How a provider does."""

    CLEAR = auto()
    REFUSING = auto()
    """An outage: no connection."""
    FAILING = auto()
    """An outage: every answer is an error."""
    BROWN = auto()
    """A brown-out: a third of the calls fail or stall, and the others take five times as long."""
    LIMITED = auto()
    """It has too much to do, and says when to come back."""


class Window(NamedTuple):
    """From when to when, in seconds since the beginning."""

    begin: float
    end: float

    def has(self, time: float) -> bool:
        """That moment is within."""
        return self.begin <= time < self.end


class Spell(NamedTuple):
    """A time of one weather."""

    begin: float
    end: float
    sky: Sky


_MEAN_CLEAR: Final = 1_800.0
_SHORTEST: Final = 60.0
_LONGEST: Final = 720.0
_TROUBLES: Final = (Sky.REFUSING, Sky.FAILING, Sky.BROWN, Sky.BROWN, Sky.LIMITED)
"""Each as likely as the other."""


class Weather:
    """The weather of one provider."""

    __slots__ = ("_begins", "_spells")

    def __init__(self, spells: Sequence[Spell]) -> None:
        """In order, one beginning where the other ends."""
        self._spells = spells
        self._begins = [spell.begin for spell in spells]

    def at(self, time: float) -> Spell:
        """The spell of this moment."""
        return self._spells[max(0, bisect_right(self._begins, time) - 1)]


def weather(clock: ManualClock, seconds: float, *, outages: Sequence[Window]) -> Weather:
    """The weather of one provider for so long, with an outage whenever all others have one, too."""
    spells: list[Spell] = []
    time = 0.0
    while time < seconds:
        clear = time - _MEAN_CLEAR * math.log(1.0 - clock.chance())
        spells.append(Spell(time, clear, Sky.CLEAR))
        time = clear + _SHORTEST + (_LONGEST - _SHORTEST) * clock.chance() ** 2
        spells.append(Spell(clear, time, _TROUBLES[int(clock.chance() * len(_TROUBLES))]))
    down = Sky.REFUSING if clock.chance() < 0.5 else Sky.FAILING
    for window in outages:
        before = [each._replace(end=min(each.end, window.begin)) for each in spells if each.begin < window.begin]
        after = [each._replace(begin=max(each.begin, window.end)) for each in spells if each.end > window.end]
        spells = [*before, Spell(*window, down), *after]
    return Weather(spells)
