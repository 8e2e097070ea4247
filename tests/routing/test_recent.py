"""That a table has a bound, and who has to go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from satisfice.routing.recent import Recent


def test_the_entry_written_least_recently_goes_first() -> None:
    table = Recent[str, int](2)

    assert [None, None, None, "b"] == [table.put("a", 1), table.put("b", 2), table.put("a", 3), table.put("c", 4)]
    assert [("a", 3), ("c", 4)] == list(table.items())


def test_reading_keeps_nothing_alive() -> None:
    """A look costs as much as one into a dict."""
    table = Recent[str, int](2)
    table.put("a", 1)
    table.put("b", 2)

    assert 1 == table["a"]
    assert "a" == table.put("c", 3)


@given(st.lists(st.integers(0, 20)), st.integers(1, 10))
def test_what_is_there_is_what_was_written_last(keys: list[int], most: int) -> None:
    table = Recent[int, int](most)
    for number, key in enumerate(keys):
        table.put(key, number)

    latest = {key: number for number, key in enumerate(keys)}
    expected = sorted(latest.items(), key=lambda item: item[1])[-most:]
    assert expected == list(table.items())
