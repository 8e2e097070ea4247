"""When to try again: waits within bounds, and retries that are paid for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.attempt.pacing import Backoff, Pacing, RetryBudget
from satisfice.core.clock import ManualClock
from tests.build import a_pacing

_ALMOST_ONE = 1.0 - 2.0**-53
_SECONDS = st.floats(0.0, 1e6)


@given(initial=_SECONDS, maximum=_SECONDS, round_=st.integers(0, 10_000), chance=st.floats(0.0, _ALMOST_ONE))
def test_backoff_is_within_its_bounds(initial: float, maximum: float, round_: int, chance: float) -> None:
    wait = Backoff(initial, maximum, chance=lambda: chance).wait(round_)

    assert 0.0 <= wait <= maximum
    assert round_ > 0 or wait <= initial


def test_the_bound_doubles_from_round_to_round_up_to_the_longest() -> None:
    backoff = Backoff(0.25, 1.5, chance=lambda: 1.0)

    assert [0.25, 0.5, 1.0, 1.5, 1.5] == [backoff.wait(round_) for round_ in range(5)]


def test_each_wait_is_drawn_anew() -> None:
    """Callers that failed in the same instant don't come back in the same instant."""
    backoff = Backoff(1.0, 1.0, chance=ManualClock().chance)

    assert 10 == len({backoff.wait(0) for _ in range(10)})


@given(
    ratio=st.fractions(0, 2, max_denominator=8),
    reserve=st.fractions(0, 5, max_denominator=8),
    events=st.lists(st.sampled_from(["success", "retry", "refund"]) | st.integers(0, 30), max_size=60),
)
def test_retries_never_exceed_the_budget(ratio: Fraction, reserve: Fraction, events: list[str | int]) -> None:
    """What is there at the start, what the successes paid, and what the time since then allows."""
    budget = RetryBudget(float(ratio), float(reserve))
    now = 100.0
    allowed = max(Fraction(1), 10 * reserve)
    retries = 0

    for event in events:
        if event == "success":
            budget.deposit()
            allowed += ratio
        elif event == "retry":
            retries += budget.withdraw(now)
        elif event == "refund":
            if retries:
                budget.refund()
                retries -= 1
        else:
            now += int(event)
            allowed += int(event) * reserve

        assert retries <= allowed


def test_ten_seconds_of_the_reserve_are_there_at_once_and_no_more() -> None:
    budget = RetryBudget(ratio=0.0, reserve=2.0)

    assert [True] * 20 + [False] == [budget.withdraw(5.0) for _ in range(21)]


def test_the_reserve_comes_back_with_time() -> None:
    budget = RetryBudget(ratio=0.0, reserve=0.5)
    while budget.withdraw(0.0):
        pass

    assert not budget.withdraw(1.0)
    assert budget.withdraw(2.0)
    assert not budget.withdraw(2.0)


def test_successes_pay_for_retries() -> None:
    budget = RetryBudget(ratio=0.25, reserve=0.0)
    assert budget.withdraw(0.0)

    for _ in range(3):
        budget.deposit()
        assert not budget.withdraw(1e6)
    budget.deposit()

    assert budget.withdraw(1e6)


def test_a_retry_that_was_not_made_can_be_made_later() -> None:
    budget = RetryBudget(ratio=0.0, reserve=0.0)
    assert budget.withdraw(0.0)

    budget.refund()

    assert [True, False] == [budget.withdraw(0.0) for _ in range(2)]


def test_what_is_refunded_when_the_budget_is_full_again_is_lost() -> None:
    budget = RetryBudget(ratio=0.0, reserve=0.1)
    budget.withdraw(0.0)
    budget.withdraw(10.0)
    budget.refund()
    budget.refund()

    assert [True, False] == [budget.withdraw(10.0) for _ in range(2)]


@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_nothing_is_saved_up_beyond_ten_seconds_worth(seconds: float) -> None:
    """Or a quiet night would pay for a storm of retries in the morning."""
    budget = RetryBudget(ratio=1.0, reserve=0.2)
    budget.withdraw(0.0)
    for _ in range(100):
        budget.deposit()

    assert [True, True, False] == [budget.withdraw(seconds) for _ in range(3)]


def test_a_budget_of_nothing_still_has_one_retry_to_begin_with() -> None:
    budget = RetryBudget(ratio=0.0, reserve=0.0)

    assert [True, False, False] == [budget.withdraw(1e6 * n) for n in range(3)]


def test_calls_wait_ten_seconds_at_most_and_are_not_hedged_unless_the_operator_wants_it() -> None:
    pacing = Pacing(a_pacing().backoff, a_pacing().budget, max_attempts=3)

    assert (10.0, None) == (pacing.longest_wait, pacing.hedge_after)
