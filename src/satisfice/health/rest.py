"""Rests: what said that it is at its limit is left alone for a while, which is no failure of it."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["Rest"]

_FIRST: Final = 1.0
_LONGEST_GUESS: Final = 60.0
_LONGEST: Final = 86_400.0


class Rest(msgspec.Struct):
    """The rests of one offer or provider. They grow while they follow each other without a success between them."""

    count: int = 0
    """Rests since the last success."""
    began: float = 0.0
    until: float = 0.0
    error: str = ""
    """What it said."""

    def is_on(self, now: float) -> bool:
        """It is to be left alone."""
        return self.count > 0 and now < self.until

    def begin(self, now: float, *, begun: float, seconds: float | None, error: str) -> None:
        """An attempt that began at `begun` was told to wait `seconds`, or nobody knows how long (None).

        A day is the most. Attempts that had begun before the rest did are told the same once more: they may prolong
        it, but it doesn't grow by them.
        """
        if not self.count or begun > self.began:
            self.count += 1
            self.began = now
        if seconds is None:
            # The exponent is bounded because a float is.
            seconds = min(_LONGEST_GUESS, _FIRST * 2.0 ** min(self.count - 1, 64))
        self.until = max(self.until, now + min(seconds, _LONGEST))
        self.error = error

    def succeed(self, begun: float) -> None:
        """An attempt went well. One that began before the rest was over doesn't know about it."""
        if begun >= self.until:
            self.count = 0

    def moved(self, seconds: float) -> Rest:
        """The same, so much later."""
        return msgspec.structs.replace(self, began=self.began + seconds, until=self.until + seconds)
