"""What patterns fit, and that no name takes long to be looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.patterns import compiled


@given(pattern=st.text("ab*?.[", max_size=8), name=st.text("ab.[\n", max_size=10))
def test_a_star_is_any_text_and_a_question_mark_any_one_character(pattern: str, name: str) -> None:
    assert _fits(pattern, name) == (compiled(pattern).match(name) is not None)


def test_a_pattern_of_many_stars_goes_once_through_the_name() -> None:
    """By backtracking this would take longer than anybody waits."""
    assert compiled("*a" * 30 + "*b").match("a" * 5_000) is None


def _fits(pattern: str, name: str) -> bool:
    """The same by definition."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _fits(pattern[1:], name) or (bool(name) and _fits(pattern, name[1:]))
    return bool(name) and pattern[0] in ("?", name[0]) and _fits(pattern[1:], name[1:])
