"""What models cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Price, Tier
from satisfice.config.load import load
from satisfice.config.problems import Code
from satisfice.core.amounts import Msat, Rate

_TIER = "[[providers.models.tiers]]\n"
_MSAT = "input_msat_per_mtok = 2\noutput_msat_per_mtok = 3\n"
_USD = "input_usd_per_mtok = 1\noutput_usd_per_mtok = 0\n"
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
        (
            "input_msat_per_mtok = 2\noutput_msat_per_mtok = 3\ncache_write_msat_per_mtok = 5",
            Price(input=Rate(2), output=Rate(3), cache_write=Rate(5)),
        ),
        (
            "input_usd_per_mtok = 1\noutput_usd_per_mtok = 1\ncache_write_usd_per_mtok = 1.25",
            Price(input=Rate(1_052_632), output=Rate(1_052_632), cache_write=Rate(1_315_790)),
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


def test_tiers_are_read_in_the_unit_of_their_model() -> None:
    msat = f"{_MSAT}{_TIER}above = 9\ninput_msat_per_mtok = 4\noutput_msat_per_mtok = 6\ncache_read_msat_per_mtok = 1\n"
    msat += f"{_TIER}above = 10\ninput_msat_per_mtok = 5\noutput_msat_per_mtok = 7\ncache_write_msat_per_mtok = 8"
    usd = f"{_USD}{_TIER}above = 9\ninput_usd_per_mtok = 0.000002\noutput_usd_per_mtok = 0"

    assert Price(
        input=Rate(2),
        output=Rate(3),
        tiers=(
            Tier(above=9, input=Rate(4), output=Rate(6), cache_read=Rate(1)),
            Tier(above=10, input=Rate(5), output=Rate(7), cache_write=Rate(8)),
        ),
    ) == _price(_HEAD + msat)
    assert Price(
        input=Rate(1_052_632), output=Rate(0), tiers=(Tier(above=9, input=Rate(3), output=Rate(0)),)
    ) == _price(f"[rates]\nusd_per_btc = 95_000\n{_HEAD}{usd}")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (f"{_TIER}above = 9\n{_MSAT}", [(6, Code.TIERS)]),
        (f"{_TIER}above = 0\n{_MSAT}", [(6, Code.TIERS), (7, Code.BAD_VALUE)]),
        (f"free = true\n{_TIER}above = 9\n{_MSAT}{_TIER}above = 10\n{_MSAT}", [(7, Code.CONFLICT)]),
        (f"{_MSAT}{_TIER}{_MSAT}", [(8, Code.MISSING_KEY)]),
        (f"{_MSAT}{_TIER}above = 9\n", [(9, Code.INCOMPLETE_PRICE)]),
        (f"{_MSAT}{_TIER}above = 9\ncache_write_msat_per_mtok = 1", [(10, Code.INCOMPLETE_PRICE)]),
        (f"{_MSAT}{_TIER}above = 9\n{_USD}", [(10, Code.MIXED_UNITS)]),
        (f"{_USD}{_TIER}above = 9\n{_MSAT}", [(6, Code.MISSING_RATE), (10, Code.MIXED_UNITS)]),
        (f"{_USD}{_TIER}above = 9\n{_USD}", [(6, Code.MISSING_RATE)]),
        (f"{_MSAT}{_TIER}above = 9\n{_MSAT}{_TIER}above = 9\n{_MSAT}", [(13, Code.TIERS)]),
        (
            f"{_MSAT}{_TIER}above = 9\n{_MSAT}{_TIER}above = 8\n{_MSAT}{_TIER}above = 7\n{_USD}",
            [(13, Code.TIERS), (18, Code.MIXED_UNITS)],
        ),
        (f"{_MSAT}{_TIER}above = 9\ninput_msat_per_mtok = -1\noutput_msat_per_mtok = 1", [(10, Code.BAD_VALUE)]),
        (f"{_MSAT}{_TIER}above = 9\n{_MSAT}free = true", [(12, Code.UNKNOWN_KEY)]),
        (f"{_MSAT}tiers = 1", [(8, Code.BAD_TYPE)]),
    ],
)
def test_tiers_that_can_not_be_are_told_where_they_stand(text: str, places: list[tuple[int, Code]]) -> None:
    assert places == _places(_HEAD + text)


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
    return [code for _, code in _places(text)]


def _places(text: str) -> list[tuple[int, Code]]:
    problems = load(text, file="file.toml", env={}, base=Path()).problems
    return [(problem.line, problem.code) for problem in problems]
