"""What is known of an offer by its attempts, and how it is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.health.stats import Figures, OfferStats

_HALF_LIFE = 300.0


def _streamed(
    stats: OfferStats, now: float = 0.0, *, first_byte: float = 0.5, writing: float = 2.0, tokens: int = 100
) -> None:
    stats.note_success(now, first_byte=first_byte, seconds=first_byte + writing, tokens=tokens)


def _whole(stats: OfferStats, now: float = 0.0, *, seconds: float, tokens: int) -> None:
    stats.note_success(now, first_byte=seconds, seconds=seconds, tokens=tokens)


def test_nothing_is_known_to_begin_with() -> None:
    stats = OfferStats()

    assert Figures(first_byte=None, rate=None, failure_rate=0.0) == stats.figures(0.0)
    assert stats.latency(100, 0.0) is None


def test_a_stream_shows_how_soon_it_begins_and_how_fast_it_is() -> None:
    stats = OfferStats()
    _streamed(stats, first_byte=0.5, writing=2.0, tokens=100)

    assert Figures(first_byte=0.5, rate=50.0, failure_rate=0.0) == stats.figures(0.0)
    assert 0.5 + 1.0 == stats.latency(50, 0.0)


def test_long_answers_say_more_of_the_pace_than_short_ones() -> None:
    stats = OfferStats()
    _streamed(stats, first_byte=0.25, writing=9.0, tokens=900)
    _streamed(stats, first_byte=0.75, writing=1.0, tokens=20)

    assert (0.5, 92.0) == (stats.first_byte(0.0), stats.rate(0.0))
    assert 0.5 + 2.0 == stats.latency(184, 0.0)


def test_a_stream_without_a_count_says_nothing_of_the_pace() -> None:
    stats = OfferStats()
    _streamed(stats, tokens=0)

    assert (0.5, None, 0.5) == (stats.first_byte(0.0), stats.rate(0.0), stats.latency(100, 0.0))


def test_an_answer_that_comes_whole_shows_only_how_long_it_took_in_all() -> None:
    stats = OfferStats()
    _whole(stats, seconds=3.0, tokens=100)

    assert (3.0, None, 3.0) == (stats.first_byte(0.0), stats.rate(0.0), stats.latency(100, 0.0))


def test_an_answer_that_comes_whole_is_taken_apart_by_the_pace_that_is_known() -> None:
    """The time to the first byte and the time for all of it are different things (B-43)."""
    stats = OfferStats()
    _streamed(stats, first_byte=0.5, writing=2.0, tokens=100)

    _whole(stats, seconds=5.5, tokens=250)

    assert (0.5, 50.0) == (stats.first_byte(0.0), stats.rate(0.0))


def test_an_answer_that_was_faster_than_any_pace_was_there_at_once() -> None:
    stats = OfferStats()
    _streamed(stats, first_byte=0.5, writing=2.0, tokens=100)

    _whole(stats, seconds=1.0, tokens=250)

    assert 0.25 == stats.first_byte(0.0)


def test_one_failure_alone_says_little_and_many_say_much() -> None:
    stats = OfferStats()
    stats.note_failure(0.0)
    assert pytest.approx(1 / 6) == stats.failure_rate(0.0)

    for _ in range(94):
        stats.note_failure(0.0)
    assert 0.95 == stats.failure_rate(0.0)


def test_failures_are_weighed_against_successes() -> None:
    stats = OfferStats()
    stats.note_failure(0.0)
    for _ in range(14):
        _streamed(stats)

    assert 0.05 == stats.failure_rate(0.0)


def test_after_five_minutes_what_was_seen_counts_half() -> None:
    stats = OfferStats()
    _streamed(stats, first_byte=1.0, writing=1.0, tokens=100)
    _streamed(stats, first_byte=1.0, writing=1.0, tokens=100)

    _streamed(stats, _HALF_LIFE, first_byte=2.0, writing=1.0, tokens=200)

    assert (1.5, 150.0) == (stats.first_byte(_HALF_LIFE), stats.rate(_HALF_LIFE))


def test_failures_are_forgotten_with_time_alone() -> None:
    stats = OfferStats()
    for _ in range(10):
        stats.note_failure(0.0)

    assert [10 / 15, 5 / 10, 2.5 / 7.5] == [stats.failure_rate(n * _HALF_LIFE) for n in range(3)]
    assert stats.failure_rate(1e9) < 1e-9


def test_after_half_an_hour_one_answer_tells_nothing_any_more() -> None:
    stats = OfferStats()
    _streamed(stats)

    assert (0.5, 50.0) == (stats.first_byte(1_800.0), stats.rate(1_800.0))
    assert (None, None) == (stats.first_byte(1_801.0), stats.rate(1_801.0))
    assert stats.latency(100, 1_801.0) is None


def test_a_pace_of_long_ago_is_forgotten_while_other_answers_come() -> None:
    """Sums that have decayed to next to nothing must not be divided by each other."""
    stats = OfferStats()
    _streamed(stats)

    for hour in range(1, 25):
        _whole(stats, hour * 3_600.0, seconds=3.0, tokens=0)

    assert pytest.approx(3.0) == stats.first_byte(86_400.0)
    assert stats.rate(86_400.0) is None


def test_it_can_be_moved_in_time() -> None:
    stats = OfferStats()
    _streamed(stats, 1_000.0)
    stats.note_failure(1_000.0)

    moved = stats.moved(-990.0)

    assert 1_000.0 == stats.at
    assert stats.figures(1_100.0) == moved.figures(110.0)


_ATTEMPTS = st.lists(
    st.tuples(
        st.floats(0.0, 1e6),
        st.one_of(st.none(), st.tuples(st.floats(0.0, 600.0), st.floats(0.0, 600.0), st.integers(0, 10**6))),
    ),
    max_size=30,
)


@given(attempts=_ATTEMPTS, later=st.floats(0.0, 1e9))
def test_whatever_comes_the_figures_are_such_as_were_seen(
    attempts: list[tuple[float, tuple[float, float, int] | None]], later: float
) -> None:
    stats = OfferStats()
    now, longest = 0.0, 0.0
    for pause, answer in attempts:
        now += pause
        if answer is None:
            stats.note_failure(now)
        else:
            first_byte, writing, tokens = answer
            longest = max(longest, first_byte)
            _streamed(stats, now, first_byte=first_byte, writing=writing, tokens=tokens)

    first_byte_then, rate, failure_rate = stats.figures(now + later)
    latency = stats.latency(100, now + later)

    assert 0.0 <= failure_rate < 1.0
    assert first_byte_then is None or 0.0 <= first_byte_then <= longest * (1.0 + 1e-9)
    assert rate is None or rate > 0.0
    assert (latency is None) == (first_byte_then is None)
