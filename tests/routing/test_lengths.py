"""What is learnt of answers, also from those that a limit cut off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist, fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.routing.lengths import Lengths, Span

_TOKENS = st.floats(0.0, 1e12)
_LEARNT = st.lists(st.tuples(_TOKENS, st.booleans()), max_size=30)


def test_nine_answers_in_ten_lie_above_low_and_nine_below_high() -> None:
    usual = Lengths.around(300.0, 1.0).usual
    answers = NormalDist(math.log(300.0) - 0.5, 1.0)

    assert 300 == usual.mean
    assert 0.1 == pytest.approx(answers.cdf(math.log(usual.low)), abs=0.01)
    assert 0.9 == pytest.approx(answers.cdf(math.log(usual.high)), abs=0.01)


def test_one_answer_moves_the_mean_a_little() -> None:
    lengths = Lengths.around(300.0)
    lengths.add(900.0, is_cut=False)

    assert 300 < lengths.mean < 400


def test_one_absurd_report_does_not_teach_absurdity() -> None:
    lengths = Lengths.around(300.0)
    lengths.add(1e12, is_cut=False)

    assert lengths.mean < 700


@pytest.mark.parametrize(("mean", "deviation"), [(20, 0.3), (300, 1.0), (1_000, 0.5), (8_000, 1.0)])
def test_fifty_answers_outweigh_what_was_believed(mean: float, deviation: float) -> None:
    lengths = Lengths.around(300.0)
    for tokens in _answers(mean, deviation, count=50):
        lengths.add(tokens, is_cut=False)

    assert abs(math.log(lengths.mean / mean)) < abs(math.log(300 / mean)) * 0.5 + 0.1


@pytest.mark.parametrize(("mean", "deviation"), [(20, 0.3), (300, 1.0), (1_000, 0.5), (8_000, 1.5)])
def test_mean_and_deviation_are_learnt(mean: float, deviation: float) -> None:
    lengths = Lengths.around(300.0)
    for tokens in _answers(mean, deviation, count=2_000):
        lengths.add(tokens, is_cut=False)

    assert mean == pytest.approx(lengths.mean, rel=0.25)
    assert deviation == pytest.approx(lengths.deviation, rel=0.25)


@pytest.mark.parametrize("limit", [20, 50, 200, 1_000])
def test_answers_that_a_limit_cut_off_do_not_pull_the_mean_down(limit: int) -> None:
    """With a limit of 50, nine in ten are cut off, and the tenth is one of the shortest."""
    lengths = Lengths.around(300.0)
    for tokens in _answers(300.0, 1.0, count=2_000):
        lengths.add(min(tokens, limit), is_cut=tokens >= limit)

    assert 300 == pytest.approx(lengths.mean, rel=0.25)


def test_the_mean_is_learnt_from_answers_of_which_most_were_cut_off() -> None:
    lengths = Lengths.around(300.0)
    for tokens in _answers(1_000.0, 0.8, count=2_000):
        lengths.add(min(tokens, 500), is_cut=tokens >= 500)

    assert 1_000 == pytest.approx(lengths.mean, rel=0.25)


def test_when_all_answers_are_cut_off_they_are_known_to_be_longer() -> None:
    lengths = Lengths.around(300.0)
    for _ in range(200):
        lengths.add(400.0, is_cut=True)

    assert lengths.mean > 1_000
    assert 390 < lengths.within(400).mean <= 400


def test_an_answer_cut_off_beyond_all_that_was_seen_counts_as_it_is() -> None:
    """Nothing is known of what lies beyond, and the share of it is too small to divide by."""
    cut, whole = Lengths.around(300.0, 0.1), Lengths.around(300.0, 0.1)
    cut.add(2_000.0, is_cut=True)
    whole.add(2_000.0, is_cut=False)

    assert whole.sums == cut.sums


def test_with_a_limit_the_mean_is_that_of_answers_cut_off_there() -> None:
    lengths = Lengths.around(300.0, 1.0)
    answers = list(_answers(300.0, 1.0, count=5_000))

    for limit in (10, 100, 300, 2_000, 50_000):
        expected = fmean(min(tokens, limit) for tokens in answers)
        assert expected == pytest.approx(lengths.within(limit).mean, rel=0.02, abs=1)


def test_a_limit_asked_for_again_is_answered_by_what_is_known_by_then() -> None:
    lengths = Lengths.around(300.0)
    before = lengths.within(1_000)
    assert before is lengths.within(1_000)
    lengths.add(900.0, is_cut=False)

    assert before.mean < lengths.within(1_000).mean


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_leaves_nothing(limit: int) -> None:
    assert Span(0, 0, 0, 0) == Lengths.around(300.0).within(limit)


def test_without_a_limit_the_bound_is_16384_or_more_if_answers_are_longer() -> None:
    assert 16_384 == Lengths.around(300.0).usual.most
    assert Lengths.around(50_000.0).usual.high == Lengths.around(50_000.0).usual.most


@given(_LEARNT, st.integers(1, 10**12))
def test_whatever_is_learnt_low_mean_high_and_most_stand_in_this_order(
    learnt: list[tuple[float, bool]], limit: int
) -> None:
    lengths = Lengths.around(300.0)
    for tokens, is_cut in learnt:
        lengths.add(tokens, is_cut=is_cut)

    for mean, low, high, most in (lengths.usual, lengths.within(limit)):
        assert 0 <= low <= mean <= high <= most
    assert limit == lengths.within(limit).most


@given(_LEARNT, st.integers(1, 10**6))
def test_a_higher_limit_never_means_a_shorter_answer(learnt: list[tuple[float, bool]], limit: int) -> None:
    lengths = Lengths.around(300.0)
    for tokens, is_cut in learnt:
        lengths.add(tokens, is_cut=is_cut)

    assert lengths.within(limit).mean <= lengths.within(2 * limit).mean


@given(_LEARNT, _TOKENS)
def test_they_go_on_from_their_sums(learnt: list[tuple[float, bool]], next_one: float) -> None:
    first = Lengths.around(300.0)
    for tokens, is_cut in learnt:
        first.add(tokens, is_cut=is_cut)
    second = Lengths(*first.sums)
    for lengths in (first, second):
        lengths.add(next_one, is_cut=False)

    assert first.usual == second.usual


def _answers(mean: float, deviation: float, *, count: int) -> Iterator[float]:
    """Log-normal, and spread as evenly as can be: by steps of the golden ratio."""
    answers = NormalDist(math.log(mean) - deviation**2 / 2, deviation)
    for number in range(count):
        yield max(1.0, round(math.exp(answers.inv_cdf((0.5 + number * 0.6180339887498949) % 1.0))))
