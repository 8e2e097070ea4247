"""The kinds of value a setting can have."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.config.problems import Code, Unfit
from satisfice.config.values import SLUG, TRAIT, Flag, Kind, Number, Text, Usd, Whole, decimal_of, name_of, slug

_NAME = Text("a name", "[a-z-]+", slug)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Flag(), True, True),
        (Flag(), False, False),
        (Whole(1, 3), 1, 1),
        (Whole(1, 3), 3, 3),
        (Number(0.001, 10), 10, 10.0),
        (Number(0.001, 10), Decimal("0.001"), 0.001),
        (Usd(10), 2, 2_000_000),
        (Usd(10), Decimal("2.50"), 2_500_000),
        (Usd(10), "0.000001", 1),
        (Usd(10), Decimal("1.0000000"), 1_000_000),
        (Usd(10), Decimal(0), 0),
        (Usd(10), Decimal("0e-400"), 0),
        (_NAME, "a-b", "a-b"),
    ],
)
def test_a_fit_value_is_read(kind: Kind, value: object, read: object) -> None:
    assert (read, type(read)) == (kind.read(value), type(kind.read(value)))


@pytest.mark.parametrize(
    ("kind", "value", "code", "hint"),
    [
        (Flag(), "yes", Code.BAD_TYPE, "write true"),
        (Flag(), "Off", Code.BAD_TYPE, "write false"),
        (Flag(), 1, Code.BAD_TYPE, "write true"),
        (Flag(), "perhaps", Code.BAD_TYPE, ""),
        (Whole(1, 3), 0, Code.BAD_VALUE, ""),
        (Whole(1, 3), 4, Code.BAD_VALUE, ""),
        (Whole(1, 3), True, Code.BAD_TYPE, ""),
        (Whole(1, 3), Decimal("2.0"), Code.BAD_TYPE, ""),
        (Whole(1, 3), "2", Code.BAD_TYPE, "write it without quotes: 2"),
        (Whole(1, 3), "two", Code.BAD_TYPE, ""),
        (Whole(1, 3), "nan", Code.BAD_TYPE, ""),
        (Number(1, 3), Decimal("0.9"), Code.BAD_VALUE, ""),
        (Number(1, 3), Decimal("NaN"), Code.BAD_VALUE, ""),
        (Number(1, 3), Decimal("Infinity"), Code.BAD_VALUE, ""),
        (Number(1, 3), 10**400, Code.BAD_VALUE, ""),
        (Number(1, 3), "2.5", Code.BAD_TYPE, "write it without quotes: 2.5"),
        (Number(1, 3), False, Code.BAD_TYPE, ""),
        (Usd(10), -1, Code.BAD_VALUE, ""),
        (Usd(10), Decimal("10.01"), Code.BAD_VALUE, ""),
        (Usd(10), Decimal("NaN"), Code.BAD_VALUE, ""),
        (Usd(10), Decimal("0.0000001"), Code.BAD_VALUE, "round it to a millionth of a dollar"),
        (Usd(10), Decimal("1.0000001"), Code.BAD_VALUE, "round it to a millionth of a dollar"),
        (Usd(10), Decimal("1e-999999999"), Code.BAD_VALUE, "round it to a millionth of a dollar"),
        (Usd(10), "$2.50", Code.BAD_TYPE, "write it as a number: 2.50"),
        (Usd(10), True, Code.BAD_TYPE, "write it as a number: 2.50"),
        (_NAME, "A B", Code.BAD_VALUE, 'perhaps "a-b"'),
        (_NAME, "模型", Code.BAD_VALUE, ""),
        (_NAME, 5, Code.BAD_TYPE, 'write it in quotes: "5"'),
        (_NAME, [], Code.BAD_TYPE, ""),
        (Text("a name", "[a-z]+"), "5", Code.BAD_VALUE, ""),
    ],
)
def test_an_unfit_value_is_refused_with_what_may_have_been_meant(
    kind: Kind, value: object, code: Code, hint: str
) -> None:
    with pytest.raises(Unfit) as refused:
        kind.read(value)

    assert (code, hint) == (refused.value.code, refused.value.hint)


@given(st.decimals(min_value=0, max_value=1_000, places=6))
def test_dollars_are_exact(dollars: Decimal) -> None:
    micro = Usd(1_000).read(dollars)

    assert dollars == Decimal(micro) / 1_000_000


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Flag(), "true or false"),
        (Whole(0, 65_535), "a whole number from 0 to 65,535"),
        (Whole(0, 10**15), "a whole number, 0 or more"),
        (Number(0.001, 86_400, "seconds"), "a number of seconds from 0.001 to 86,400"),
        (Number(0, 10), "a number from 0 to 10"),
        (Usd(1_000), "a number of dollars from 0 to 1,000"),
        (_NAME, "a name"),
    ],
)
def test_a_kind_says_in_words_what_it_takes(kind: Kind, what: str) -> None:
    assert what == kind.what


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Flag(), {"type": "boolean"}),
        (Whole(0, 9), {"type": "integer", "minimum": 0, "maximum": 9}),
        (Number(0, 9), {"type": "number", "minimum": 0, "maximum": 9}),
        (Usd(9), {"type": ["number", "string"], "minimum": 0, "maximum": 9}),
        (_NAME, {"type": "string", "pattern": "^(?:[a-z-]+)$"}),
    ],
)
def test_a_kind_says_to_an_editor_what_it_takes(kind: Kind, schema: dict[str, object]) -> None:
    assert schema == kind.schema()


@pytest.mark.parametrize("kind", [Flag(), Whole(0, 1), Number(0, 1), Usd(1), _NAME])
def test_plain_values_may_be_shown(kind: Kind) -> None:
    assert not kind.hides("anything")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "true"),
        (5, "5"),
        (Decimal("2.5"), "2.5"),
        (date(2024, 1, 1), "a date or time"),
        (datetime(2024, 1, 1, tzinfo=UTC), "a date or time"),
        (time(1, 2), "a date or time"),
        ([], "a list"),
        ({}, "a table"),
        ('say "hi"', '"say \\"hi\\""'),
        ("模型", '"模型"'),
        ("x" * 41, f'"{"x" * 40}…"'),
        (10**50, f"1{'0' * 39}…"),
    ],
)
def test_a_message_names_what_it_found_in_the_words_of_the_file(value: object, name: str) -> None:
    assert name == name_of(value)


def test_a_number_beyond_an_endless_bound_is_told_the_bound() -> None:
    """For people it has none, so that `0 or more` would not say what is wrong."""
    with pytest.raises(Unfit) as refused:
        Whole(0, 10**15).read(10**15 + 1)

    assert "must be no more than 1,000,000,000,000,000" == refused.value.why


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (SLUG, "Open Router", 'perhaps "open-router"'),
        (TRAIT, "EU", 'perhaps "eu"'),
        (TRAIT, "US East", 'perhaps "us-east"'),
        (TRAIT, "Q4_K_M", 'perhaps "q4_k_m"'),
    ],
)
def test_words_that_are_compared_have_one_spelling(kind: Kind, value: str, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        kind.read(value)

    assert hint == refused.value.hint
    assert kind.read(hint.removeprefix('perhaps "').removesuffix('"'))


def test_what_is_no_number_has_no_decimal() -> None:
    assert (Decimal("1.50"), None, None) == (decimal_of("1.50"), decimal_of("x"), decimal_of(f"1e{'9' * 30}"))


@given(st.text())
def test_a_slug_has_only_lower_case_letters_digits_and_single_dashes(text: str) -> None:
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug(text))
