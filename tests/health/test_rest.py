"""Rests: as long as was asked for, or growing while nobody knows."""

from __future__ import annotations

import pytest

from satisfice.health.rest import Rest


def _rest(now: float = 0.0, *, seconds: float | None = None) -> Rest:
    rest = Rest()
    rest.begin(now, begun=now, seconds=seconds, error="status 429")
    return rest


def _guesses(rest: Rest, *, times: int) -> list[float]:
    """How long the next rests are, each by an attempt that began when the one before was over."""
    seconds = []
    for _ in range(times):
        begun = rest.until
        now = begun + 0.25
        rest.begin(now, begun=begun, seconds=None, error="status 429")
        seconds.append(rest.until - now)
    return seconds


def test_nothing_rests_that_was_not_told_to() -> None:
    assert not Rest().is_on(-1.0)


def test_it_lasts_as_long_as_was_said() -> None:
    rest = _rest(100.0, seconds=7.0)

    assert [True, False] == [rest.is_on(106.9), rest.is_on(107.0)]
    assert "status 429" == rest.error


def test_where_nobody_said_how_long_it_begins_with_a_second_and_doubles_to_a_minute() -> None:
    rest = Rest()

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] == _guesses(rest, times=8)
    assert {60.0} == set(_guesses(rest, times=100))


def test_several_attempts_that_are_told_the_same_at_once_do_not_make_it_grow() -> None:
    """Only an attempt that began after the rest did can know that the rest was too short."""
    rest = _rest(10.0)
    for begun in (9.0, 10.0):
        rest.begin(10.5, begun=begun, seconds=None, error="status 429")

    assert 10.5 + 1.0 == rest.until
    assert [2.0] == _guesses(rest, times=1)


def test_of_two_that_overlap_the_longer_one_counts() -> None:
    rest = _rest(0.0, seconds=20.0)

    rest.begin(1.0, begun=0.0, seconds=3.0, error="status 429")
    assert 20.0 == rest.until
    rest.begin(1.0, begun=0.0, seconds=30.0, error="status 429")
    assert 31.0 == rest.until


def test_a_day_is_the_most() -> None:
    assert 86_400.0 == _rest(seconds=1e12).until


@pytest.mark.parametrize(("begun", "seconds"), [(1.0, 1.0), (0.5, 2.0)])
def test_a_success_ends_the_growth_unless_it_began_before_the_rest_was_over(begun: float, seconds: float) -> None:
    rest = _rest(0.0, seconds=1.0)

    rest.succeed(begun)

    assert [seconds] == _guesses(rest, times=1)


def test_a_success_from_before_does_not_end_the_rest() -> None:
    rest = _rest(10.0, seconds=60.0)

    rest.succeed(begun=9.0)

    assert rest.is_on(69.0)


def test_it_can_be_moved_in_time() -> None:
    assert Rest(1, began=5.0, until=8.0, error="status 429") == _rest(100.0, seconds=3.0).moved(-95.0)
