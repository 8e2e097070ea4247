"""Models: what is asked for, whoever runs it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final, NewType

__all__ = ["AUTO", "ModelId", "near_misses"]

ModelId = NewType("ModelId", str)
"""A model's name as callers write it, such as `gpt-4o`."""

AUTO: Final = ModelId("auto")
"""The name for: whichever priced model is cheapest for this call."""


_LONGEST: Final = 200


def near_misses(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Known names that somebody who wrote this one may have meant, likeliest first; none for an endless one."""
    if len(name) > _LONGEST:
        return ()  # The comparison takes the square of the length, and a caller may send megabytes.
    folded = {each.casefold(): each for each in known}
    return tuple(folded[match] for match in get_close_matches(name.casefold(), folded, n=limit, cutoff=0.6))
