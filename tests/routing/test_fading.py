"""That the latest counts most, the large more than the small, and a beginning for a while."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.routing.fading import Ratio, Sums

_SUMS = st.floats(0.01, 1e6)


def test_it_begins_with_what_is_believed() -> None:
    assert 0.25 == Ratio(1.0, 4.0, fade=0.5).value


def test_older_sums_count_less_with_each_new_one() -> None:
    ratio = Ratio(1.0, 1.0, fade=0.5)
    ratio.add(0.0, 1.0)
    ratio.add(3.0, 1.0)

    assert (0.25 + 0.0 + 3.0) / (0.25 + 0.5 + 1.0) == ratio.value


def test_a_large_thing_counts_more_than_a_small_one() -> None:
    ratio = Ratio(1.0, 1.0, fade=1.0)
    ratio.add(300.0, 100.0)

    assert 301 / 101 == ratio.value


@given(start=_SUMS, seen=st.lists(st.tuples(_SUMS, _SUMS), max_size=20), fade=st.floats(0.5, 1.0))
def test_it_is_never_beyond_what_was_believed_or_seen(
    start: float, seen: list[tuple[float, float]], fade: float
) -> None:
    ratio = Ratio(start, 1.0, fade=fade)
    for top, bottom in seen:
        ratio.add(top, bottom)

    all_of_them = [start, *(top / bottom for top, bottom in seen)]
    assert min(all_of_them) * (1 - 1e-9) <= ratio.value <= max(all_of_them) * (1 + 1e-9)


@given(_SUMS, _SUMS)
def test_it_goes_on_from_its_sums(top: float, bottom: float) -> None:
    first = Ratio(top, bottom, fade=0.9)
    kept = msgspec.json.decode(msgspec.json.encode(first.sums), type=Sums)
    second = Ratio(kept.top, kept.bottom, fade=0.9)
    first.add(1.0, 2.0)
    second.add(1.0, 2.0)

    assert first.value == second.value


@pytest.mark.parametrize("text", [b"[1.0,0.0]", b"[-1.0,1.0]", b"[1.0]", b"[1.0,1e300]", b"[null,1.0]"])
def test_sums_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Sums)
