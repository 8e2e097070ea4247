"""A mapping that forgets what was written least recently, so that what callers and providers make up can't fill it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

__all__ = ["Recent"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class Recent(OrderedDict[_K, _V]):
    """At most so many entries, the one written last at the end. Write with `put`; reading changes nothing."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        """Empty, for at most so many."""
        super().__init__()
        self._most = most

    def put(self, key: _K, value: _V) -> _K | None:
        """Write; what is returned is the key of the entry that had to go for it."""
        self[key] = value
        self.move_to_end(key)
        return self.popitem(last=False)[0] if len(self) > self._most else None
