"""What models cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Price
from satisfice.config.load import load
from satisfice.config.problems import Code
from satisfice.core.amounts import Msat, Rate

_HEAD = '[[providers]]\nname = "a"\nurl = "https://a.example"\n[[providers.models]]\nid = "m"\n'


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("input_msat_per_mtok = 2\noutput_msat_per_mtok = 3", Price(input=Rate(2), output=Rate(3))),
        ("input_msat_per_mtok = 0\noutput_msat_per_mtok = 0", Price(input=Rate(0), output=Rate(0))),
        (
            "input_msat_per_mtok = 2\noutput_msat_per_mtok = 3\ncache_read_msat_per_mtok = 1\nbase_fee_msat = 4",
            Price(input=Rate(2), output=Rate(3), cache_read=Rate(1), base_fee=Msat(4)),
        ),
        (
            "input_usd_per_mtok = 2.50\noutput_usd_per_mtok = '10'\ncache_read_usd_per_mtok = 1\nbase_fee_msat = 4",
            Price(input=Rate(2_631_579), output=Rate(10_526_316), cache_read=Rate(1_052_632), base_fee=Msat(4)),
        ),
        ("free = true", Price(input=Rate(0), output=Rate(0))),
        ("", None),
        ("free = false", None),
    ],
)
def test_a_price_is_read_in_millisatoshi_whichever_unit_it_has(text: str, price: Price | None) -> None:
    assert price == _price(f"[rates]\nusd_per_btc = 95_000\n{_HEAD}{text}")


def test_the_models_of_a_free_provider_are_free() -> None:
    assert Price(input=Rate(0), output=Rate(0)) == _price(_HEAD.replace("[[providers.m", "free = true\n[[providers.m"))


@given(dollars=st.decimals(min_value=0, max_value=1_000, places=6), usd_per_btc=st.integers(1, 10_000_000))
def test_a_price_in_dollars_is_rounded_up_to_the_next_millisatoshi(dollars: Decimal, usd_per_btc: int) -> None:
    text = f"input_usd_per_mtok = {dollars:f}\noutput_usd_per_mtok = 0"
    price = _price(f"[rates]\nusd_per_btc = {usd_per_btc}\n{_HEAD}{text}")

    assert price is not None
    assert price.input - 1 < dollars * 10**11 / usd_per_btc <= price.input


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("input_msat_per_mtok = 2", [Code.INCOMPLETE_PRICE]),
        ("output_usd_per_mtok = 2", [Code.INCOMPLETE_PRICE]),
        ("cache_read_msat_per_mtok = 2", [Code.INCOMPLETE_PRICE]),
        ("base_fee_msat = 2", [Code.INCOMPLETE_PRICE]),
        ("input_usd_per_mtok = 2\noutput_msat_per_mtok = 2", [Code.MIXED_UNITS]),
        ("input_msat_per_mtok = 2\noutput_msat_per_mtok = 2\ncache_read_usd_per_mtok = 1", [Code.MIXED_UNITS]),
        ("input_usd_per_mtok = 2\noutput_usd_per_mtok = 2\ncache_read_usd_per_mtok = 1", [Code.MISSING_RATE]),
        ("free = true\nbase_fee_msat = 2\ninput_usd_per_mtok = 2", [Code.CONFLICT]),
        ("", [Code.UNPRICED_MODEL]),
        # What is given but unfit isn't also missing.
        ("input_msat_per_mtok = -2\noutput_msat_per_mtok = 2", [Code.BAD_VALUE]),
        ("input_msat_per_mtok = 2\noutput_msat_per_mtok = 2\nfree = 'no'", [Code.BAD_TYPE]),
    ],
)
def test_a_price_that_can_not_be_is_noted_once(text: str, codes: list[Code]) -> None:
    assert codes == _codes(_HEAD + text)


def test_a_missing_rate_is_noted_once_for_all_models() -> None:
    model = '[[providers.models]]\nid = "n"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n'

    assert [Code.MISSING_RATE] == _codes(
        _HEAD.replace('[[providers.models]]\nid = "m"\n', model + model.replace('"n"', '"o"'))
    )


def test_an_unfit_rate_is_not_also_missing() -> None:
    text = f"[rates]\nusd_per_btc = 0\n{_HEAD}input_usd_per_mtok = 1\noutput_usd_per_mtok = 1"

    assert [Code.BAD_VALUE] == _codes(text)


def _price(text: str) -> Price | None:
    config = load(text, file="file.toml", env={}, base=Path()).config
    assert config is not None
    return config.providers[0].offers[0].price


def _codes(text: str) -> list[Code]:
    return [problem.code for problem in load(text, file="file.toml", env={}, base=Path()).problems]
