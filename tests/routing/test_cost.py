"""What a call is expected to cost, before it is made."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.amounts import PER_MTOK, Msat
from satisfice.routing.cost import Expected, estimate, expect
from tests.build import a_price, a_request

_COUNTS = st.integers(0, 10**7)
_RATES = st.integers(0, 10**9)


def test_four_bytes_of_the_body_are_expected_to_be_a_token() -> None:
    request = a_request(prompt="word " * 800)

    assert request.body.size // 4 == expect(request).input


def test_an_answer_is_expected_to_have_500_tokens_or_the_caller_s_limit_if_it_is_less() -> None:
    assert 500 == expect(a_request()).output
    assert 500 == expect(a_request(max_output=4_096)).output
    assert 20 == expect(a_request(max_output=20)).output
    assert 0 == expect(a_request(max_output=0)).output


def test_every_choice_is_an_answer() -> None:
    assert 60 == expect(a_request(max_output=20, choices=3)).output


def test_senseless_limits_make_no_cost_negative() -> None:
    """The upstream will refuse them; until then they must not make an offer look cheap."""
    assert 0 == expect(a_request(max_output=-1)).output
    assert 20 == expect(a_request(max_output=20, choices=0)).output
    assert 20 == expect(a_request(max_output=20, choices=-5)).output


@given(tokens_in=_COUNTS, tokens_out=_COUNTS, rate_in=_RATES, rate_out=_RATES)
def test_an_estimate_is_the_exact_cost_rounded_up_once(
    tokens_in: int, tokens_out: int, rate_in: int, rate_out: int
) -> None:
    exact = 3 + Fraction(tokens_in * rate_in + tokens_out * rate_out, PER_MTOK)

    assert 0 <= estimate(Expected(tokens_in, tokens_out), a_price(rate_in, rate_out, base_fee=3)) - exact < 1


def test_a_free_offer_costs_nothing() -> None:
    assert Msat(0) == estimate(Expected(1_000, 1_000), a_price(0, 0))
