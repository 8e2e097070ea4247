"""Ratios of sums that fade: what was seen lately counts most, and a large thing more than a small one."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Ratio", "Sums"]


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """What a ratio is made of, to be kept over a restart; decoding refuses what it could not be."""

    top: Annotated[float, msgspec.Meta(ge=0.0, le=1e18)]
    bottom: Annotated[float, msgspec.Meta(ge=1e-9, le=1e18)]


class Ratio:
    """One sum over another. Both shrink by `fade` with each observation, and so does what was believed at first."""

    __slots__ = ("_bottom", "_fade", "_top", "value")

    def __init__(self, top: float, bottom: float, *, fade: float) -> None:
        """Begin with what is believed before anything was seen; the larger the sums, the slower it gives way."""
        self._top = top
        self._bottom = bottom
        self._fade = fade
        self.value = top / bottom
        """The ratio as it is now."""

    def add(self, top: float, bottom: float) -> None:
        """Something was seen; `bottom` is above 0."""
        fade = self._fade
        self._top = self._top * fade + top
        self._bottom = self._bottom * fade + bottom
        self.value = self._top / self._bottom

    @property
    def weight(self) -> float:
        """How much it is made of: what the lower sum has come to."""
        return self._bottom

    @property
    def sums(self) -> Sums:
        """What it is made of."""
        return Sums(self._top, self._bottom)
