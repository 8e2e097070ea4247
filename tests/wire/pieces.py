"""Cuts bytes into pieces, as networks do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["cut", "ways_to_cut"]

_END = re.compile(rb"\n\n|\r\n\r\n|\r")


def ways_to_cut(whole: bytes) -> Iterator[list[bytes]]:
    """In one piece, in pieces of the same size, behind events, before and a little behind the end of events."""
    ends = _ends(whole)
    yield [whole]
    for size in (1, 2, 7, 100):
        yield _cut_at(whole, range(0, len(whole), size))
    for beside in (0, -1, -2, 1, 9):
        yield _cut_at(whole, [end + beside for end in ends if 0 <= end + beside <= len(whole)])
    yield _cut_at(whole, [place for end in ends for place in (end, min(end + 9, len(whole)))])


@st.composite
def cut(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """The whole in pieces, some of them empty; many are cut behind events, as most servers do."""
    place = st.one_of(st.sampled_from([0, *_ends(whole)]), st.integers(0, len(whole)))
    return _cut_at(whole, draw(st.lists(place, max_size=16)))


def _ends(whole: bytes) -> list[int]:
    return [match.end() for match in _END.finditer(whole)]


def _cut_at(whole: bytes, places: Iterable[int]) -> list[bytes]:
    return [whole[start:end] for start, end in pairwise(sorted([0, *places, len(whole)]))]
