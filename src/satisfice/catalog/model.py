"""Models: what is asked for, whoever runs it, and what it can do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final, NewType

import msgspec

from satisfice.wire.request import Ability

__all__ = ["AUTO", "Capabilities", "ModelId", "near_misses"]

ModelId = NewType("ModelId", str)
"""A model's name as callers write it, such as `gpt-4o`."""

AUTO: Final = ModelId("auto")
"""The name for: whichever priced model is cheapest for this call."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an offer can take and do, as far as it is known."""

    context: int | None = None
    """Tokens of prompt and answer together; None: not known."""
    max_output: int | None = None
    """The most tokens of one answer; None: not known."""
    has: frozenset[Ability] = frozenset()
    lacks: frozenset[Ability] = frozenset()
    """What is in neither is not known."""


_LONGEST: Final = 200
_MANY: Final = 500


def near_misses(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Known names that somebody who wrote this one may have meant, likeliest first; none for an endless one."""
    if len(name) > _LONGEST:
        return ()  # The comparison takes the square of the length, and a caller may send megabytes.
    folded = {each.casefold(): each for each in known}
    if len(folded) > _MANY:  # Comparing takes 24 microseconds a name; most slips are not in the first letters.
        start = name.casefold()[:2]
        folded = dict(islice(((key, each) for key, each in folded.items() if key[:2] == start), _MANY))
    return tuple(folded[match] for match in get_close_matches(name.casefold(), folded, n=limit, cutoff=0.6))
