"""Cuts bytes into pieces, as networks do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["cut"]


@st.composite
def cut(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """The whole in pieces: some of one byte, some of many, an empty one now and then."""
    places = draw(st.lists(st.integers(0, len(whole)), max_size=12))
    return [whole[start:end] for start, end in pairwise(sorted([0, *places, len(whole)]))]
