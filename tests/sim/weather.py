"""What befalls providers, and when: outages, brown-outs and spells at the limit, from a seed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from satisfice.core.clock import ManualClock

__all__ = ["Sky", "Spell", "Window", "forecast"]


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


class Spell(NamedTuple):
    """A time of one weather."""

    begin: float
    sky: Sky
    end: float


_MEAN_CLEAR: Final = 2_700.0
_SHORTEST: Final = 60.0
_LONGEST: Final = 720.0
_KINDS: Final = (Sky.REFUSING, Sky.FAILING, Sky.BROWN, Sky.BROWN, Sky.LIMITED)
"""Each as likely as the other."""


class _Forecast:
    """The weather of one provider."""

    __slots__ = ("_begins", "_spells")

    def __init__(self, spells: Sequence[Spell]) -> None:
        self._spells = spells
        self._begins = [spell.begin for spell in spells]

    def at(self, time: float) -> Spell:
        """The spell of this moment."""
        return self._spells[max(0, bisect_right(self._begins, time) - 1)]


def forecast(clock: ManualClock, seconds: float, *, all_down: Window) -> _Forecast:
    """The weather of one provider from beginning to end, with an outage when everybody has one."""
    spells: list[Spell] = []
    time = 0.0
    while time < seconds:
        clear = time - _MEAN_CLEAR * math.log(1.0 - clock.chance())
        spells.append(Spell(time, Sky.CLEAR, clear))
        time = clear + _SHORTEST + (_LONGEST - _SHORTEST) * clock.chance() ** 2
        spells.append(Spell(clear, _KINDS[int(clock.chance() * len(_KINDS))], time))
    down = Sky.REFUSING if clock.chance() < 0.5 else Sky.FAILING
    before = [_ended(spell, all_down.begin) for spell in spells if spell.begin < all_down.begin]
    after = [_begun(spell, all_down.end) for spell in spells if spell.end > all_down.end]
    return _Forecast([*before, Spell(all_down.begin, down, all_down.end), *after])


def _ended(spell: Spell, end: float) -> Spell:
    return spell._replace(end=min(spell.end, end))


def _begun(spell: Spell, begin: float) -> Spell:
    return spell._replace(begin=max(spell.begin, begin))
