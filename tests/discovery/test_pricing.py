"""Prices as lists have them, and all that can be wrong with one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Price, Tier
from satisfice.core.amounts import MSAT_PER_BTC, PER_MTOK, Msat, Rate, UsdPerBtc
from satisfice.discovery.pricing import (
    SATS_PER_MTOK,
    SATS_PER_TOKEN,
    TakesAll,
    Unit,
    Unpriced,
    read_price,
    usd_per_token,
)
from tests.build import a_price

_USD_PER_BTC = UsdPerBtc(100_000)
"""A dollar is a million msat."""
_NULL = msgspec.Raw(b"null")
_AMOUNTS = st.decimals(min_value=Decimal("1e-40"), max_value=1, allow_nan=False)


def _raw(pricing: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(pricing))


def _in_usd(pricing: object, *, usd_per_btc: UsdPerBtc | None = _USD_PER_BTC) -> Price:
    return read_price(_raw(pricing), _NULL, usd=usd_per_token(usd_per_btc))


def _in_sats(sats_pricing: object, pricing: object = None) -> Price:
    return read_price(_raw(pricing), _raw(sats_pricing), usd=usd_per_token(None))


def test_dollars_a_token_become_rates() -> None:
    """$2.50 and $10 per million tokens, as OpenRouter lists them."""
    price = _in_usd(
        {
            "prompt": "0.0000025",
            "completion": "0.00001",
            "request": "0.001",
            "image": "0.003",
            "input_cache_read": "0.00000125",
            "input_cache_write": "0.000003125",
        }
    )

    assert price == Price(
        input=Rate(2_500_000),
        output=Rate(10_000_000),
        cache_read=Rate(1_250_000),
        cache_write=Rate(3_125_000),
        base_fee=Msat(1_000),
    )


def test_numbers_do_as_well_as_texts() -> None:
    assert a_price(2_500_000, 10_000_000) == read_price(
        msgspec.Raw(b'{"prompt":2.5e-6,"completion":0.00001}'), _NULL, usd=usd_per_token(_USD_PER_BTC)
    )


def test_satoshi_a_token_become_rates_and_count_over_dollars() -> None:
    """A dollar per million tokens at 1,000 sat a dollar and 1 % for the node, as Routstr lists it."""
    price = _in_sats(
        {"prompt": 0.00101, "completion": 0.00404, "request": 0.001, "input_cache_read": 0.0001, "max_cost": 100.0},
        {"prompt": "0.000001", "completion": "0.000004", "request": "0.5"},
    )

    assert price == Price(input=Rate(1_010_000), output=Rate(4_040_000), cache_read=Rate(100_000))


def test_satoshi_need_no_exchange_rate() -> None:
    assert a_price(1_000_000_000, 2_000_000_000) == _in_sats({"prompt": 1, "completion": 2})


@pytest.mark.parametrize(
    ("pricing", "why"),
    [
        (None, "has no price"),
        ("free", "has a price that can't be read"),
        ([], "has a price that can't be read"),
        ({}, "has no price of input"),
        ({"prompt": "0.1"}, "has no price of output"),
        ({"completion": "0.1"}, "has no price of input"),
        ({"prompt": "-1", "completion": "-1"}, "has a price of input below nothing"),
        ({"prompt": "0.1", "completion": -1e-300}, "has a price of output below nothing"),
        ({"prompt": "cheap", "completion": "0.1"}, "has a price that can't be read"),
        ({"prompt": True, "completion": "0.1"}, "has a price that can't be read"),
        ({"prompt": "NaN", "completion": "0.1"}, "has a price of input that is no number"),
        ({"prompt": "sNaN", "completion": "0.1"}, "has a price of input that is no number"),
        ({"prompt": "0.1", "completion": "-Infinity"}, "has a price of output that is no number"),
        ({"prompt": "1.01", "completion": "0.1"}, "has a price of input beyond all reason"),
        ({"prompt": "1e999999", "completion": "0.1"}, "has a price of input beyond all reason"),
        ({"prompt": "0.1", "completion": "0.1", "request": "?"}, "has a price that can't be read"),
        ({"prompt": "0.1", "completion": "0.1", "request": "-1"}, "has a price of a call below nothing"),
        ({"prompt": "0.1", "completion": "0.1", "overrides": 1}, "has a price that can't be read"),
        (
            {"prompt": "0.1", "completion": "0.1", "overrides": [{"min_prompt_tokens": -1}]},
            "has a price that can't be read",
        ),
        (
            {"prompt": "0.1", "completion": "0.1", "overrides": [{"prompt": "-1"}]},
            "has a price of input below nothing",
        ),
        (
            {"prompt": "0.1", "completion": "0.1", "overrides": [{"min_prompt_tokens": 9, "completion": "9"}]},
            "has a price of output beyond all reason",
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_no_price(pricing: object, why: str) -> None:
    with pytest.raises(Unpriced) as unpriced:
        _in_usd(pricing)

    assert why == str(unpriced.value)


@pytest.mark.parametrize("pricing", [b'{"prompt":"\xff"}', b'{"a":' + b"[" * 9_999 + b"]" * 9_999 + b"}"], ids=len)
def test_what_is_hardly_json_is_no_price(pricing: bytes) -> None:
    with pytest.raises(Unpriced, match="can't be read"):
        read_price(msgspec.Raw(pricing), _NULL, usd=SATS_PER_TOKEN)


@pytest.mark.parametrize("sats_pricing", [{"prompt": "NaN", "completion": 1}, {"prompt": 1, "completion": -1}, "?"])
def test_dollars_are_no_stopgap_for_satoshi_that_make_no_sense(sats_pricing: object) -> None:
    """The provider charges satoshi: what they are is not known then."""
    with pytest.raises(Unpriced):
        _in_sats(sats_pricing, {"prompt": "0", "completion": "0"})


@pytest.mark.parametrize(
    "pricing", [None, "?", {"prompt": 0}, {"prompt": 0, "completion": "1e-6"}, {"prompt": "1e-7", "completion": 0}]
)
@pytest.mark.parametrize(("prompt", "completion"), [(0, 1), (1, 0), (0, 0), ("0.0", 1)])
def test_a_call_that_takes_all_has_no_price(prompt: object, completion: object, pricing: object) -> None:
    """Routstr charges the whole reservation where one of its prices is 0, as for most embeddings."""
    with pytest.raises(TakesAll):
        _in_sats({"prompt": prompt, "completion": completion}, pricing)


def test_what_is_free_in_dollars_may_be_free_in_satoshi() -> None:
    assert a_price(0, 0) == _in_sats({"prompt": 0.0, "completion": 0.0}, {"prompt": "0", "completion": "0"})


def test_without_an_exchange_rate_only_nothing_has_a_price_in_dollars() -> None:
    with pytest.raises(Unpriced, match="nothing says what a bitcoin costs"):
        _in_usd({"prompt": "0.1", "completion": "0"}, usd_per_btc=None)

    assert a_price(0, 0) == _in_usd({"prompt": "0", "completion": "0.0"}, usd_per_btc=None)


@pytest.mark.parametrize("cache", ["0", "-1", "NaN", "2", None])
def test_a_cache_price_that_makes_no_sense_is_that_of_other_input(cache: object) -> None:
    """A 0 fills a gap in some lists."""
    pricing = {"prompt": "0.000001", "completion": "0.000001", "input_cache_read": cache, "input_cache_write": cache}

    price = _in_usd(pricing)

    assert (None, None) == (price.cache_read, price.cache_write)


def test_long_prompts_have_rates_of_their_own() -> None:
    """OpenRouter's overrides say what differs from so many tokens on, that number included."""
    price = _in_usd(
        {
            "prompt": "0.000001",
            "completion": "0.000004",
            "input_cache_read": "0.0000001",
            "overrides": [
                {"min_prompt_tokens": 512_000, "prompt": "0.000003", "input_cache_write": "0.000004"},
                {"min_prompt_tokens": 272_000, "prompt": "0.000002", "completion": "0.000006"},
            ],
        }
    )

    assert price.tiers == (
        Tier(above=271_999, input=Rate(2_000_000), output=Rate(6_000_000), cache_read=Rate(100_000)),
        Tier(
            above=511_999,
            input=Rate(3_000_000),
            output=Rate(6_000_000),
            cache_read=Rate(100_000),
            cache_write=Rate(4_000_000),
        ),
    )
    assert (price.input, price.output, price.cache_read) == (1_000_000, 4_000_000, 100_000)


def test_of_rates_for_other_times_of_the_day_the_dearest_counts() -> None:
    """What is listed now may be charged in an hour."""
    price = _in_usd(
        {
            "prompt": "0.000002",
            "completion": "0.000004",
            "input_cache_read": "0.0000001",
            "overrides": [
                {"utc_start": 1000, "utc_end": 100, "prompt": "0.000001", "completion": "0.000004"},
                {"utc_start": 100, "utc_end": 400, "completion": "0.000008", "input_cache_read": "0.0000002"},
                {"min_prompt_tokens": 9, "utc_start": 100, "prompt": "0.000003"},
                {"min_prompt_tokens": 9, "utc_start": 400, "prompt": "0.000001"},
            ],
        }
    )

    tier = Tier(above=8, input=Rate(3_000_000), output=Rate(8_000_000), cache_read=Rate(200_000))
    base = Price(input=Rate(2_000_000), output=Rate(8_000_000), cache_read=Rate(200_000), tiers=(tier,))
    assert base == price


@pytest.mark.parametrize(
    ("unit", "msat"),
    [
        (usd_per_token(_USD_PER_BTC), Fraction(MSAT_PER_BTC, _USD_PER_BTC) * PER_MTOK),
        (SATS_PER_TOKEN, Fraction(1_000 * PER_MTOK)),
        (SATS_PER_MTOK, Fraction(1_000)),
    ],
)
@given(amount=_AMOUNTS)
def test_a_price_is_read_exactly_and_rounded_up(unit: Unit, msat: Fraction, amount: Decimal) -> None:
    """Rounding is of something we owe; a dollar is rounded to its millionth and then to msat."""
    exact = Fraction(amount) * msat

    assert 0 <= unit.read(amount, "input") - exact < 2


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.none())
def test_no_number_is_too_odd(amount: Decimal | None) -> None:
    for unit in (usd_per_token(_USD_PER_BTC), usd_per_token(None), SATS_PER_TOKEN, SATS_PER_MTOK):
        unit.read_cache(amount)
