"""Money and tokens as integers: every rounding is up, and no token is counted twice."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.amounts import (
    MSAT_PER_BTC,
    PER_MTOK,
    Msat,
    Rate,
    Usage,
    UsdPerBtc,
    price_of,
    rate_from_usd,
    show_msat,
)


@given(tokens=st.integers(0, 10**9), rate=st.integers(0, 10**12))
def test_a_price_is_the_exact_one_rounded_up(tokens: int, rate: int) -> None:
    price = price_of(tokens, Rate(rate))

    assert 0 <= price - Fraction(tokens * rate, PER_MTOK) < 1


def test_a_rate_is_the_price_of_a_million_tokens() -> None:
    assert Msat(250) == price_of(1_000_000, Rate(250))


def test_a_single_token_of_a_cheap_model_still_costs_something() -> None:
    """Rounded down, a million calls of one token each would be free."""
    assert Msat(1) == price_of(1, Rate(1))


@given(dollars=st.integers(0, 10**12), rate=st.integers(1, 10**7))
def test_a_rate_in_dollars_is_converted_exactly_and_rounded_up(dollars: int, rate: int) -> None:
    """Dollars come in millionths per million tokens."""
    exact = Fraction(dollars, 1_000_000) / rate * MSAT_PER_BTC

    assert 0 <= rate_from_usd(dollars, UsdPerBtc(rate)) - exact < 1


def test_ten_dollars_a_million_tokens_at_100_000_dollars_a_bitcoin_are_10_000_sat() -> None:
    assert Rate(10_000_000) == rate_from_usd(10_000_000, UsdPerBtc(100_000))


def test_usage_is_nothing_unless_told() -> None:
    assert Usage(uncached=0, cache_read=0, text=0, reasoning=0) == Usage()


def test_input_and_output_are_the_sums_of_their_buckets() -> None:
    usage = Usage(uncached=1_000, cache_read=200, text=30, reasoning=4)

    assert (1_200, 34) == (usage.input, usage.output)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 sat"),
        (1, "0.001 sat"),
        (3_100, "3.1 sat"),
        (1_000, "1 sat"),
        (12_480_000, "12,480 sat"),
        (1_234_567_891, "1,234,567.891 sat"),
        (-1_500, "-1.5 sat"),
    ],
)
def test_an_amount_is_shown_in_sat_with_as_many_decimals_as_it_has(amount: int, shown: str) -> None:
    assert shown == show_msat(Msat(amount))
