"""Rules that recur from table to table."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from satisfice.config.choices import Many
from satisfice.config.problems import Code, Report
from satisfice.config.reading import Entry, Reader
from satisfice.config.references import Around
from satisfice.config.rules import keep_order, refuse_overlap, refuse_twins
from satisfice.config.spans import locate
from satisfice.config.tables import Setting, Table
from satisfice.config.values import Number, Text, Whole

_WORD = Text("a word", "[a-z]+")


class _Tree(msgspec.Struct, frozen=True, kw_only=True):
    """One of many."""

    name: Annotated[str, Setting(_WORD, "Its name.", example='"oak"')]
    low: Annotated[int | None, Setting(Whole(0, 9_999), "At least.", otherwise="not known")] = None
    high: Annotated[int, Setting(Whole(0, 9_999), "At most.")] = 3
    slow: Annotated[float, Setting(Number(0, 99), "At least.")] = 1.0
    fast: Annotated[float, Setting(Number(0, 99), "At most.")] = 2.5
    eats: Annotated[tuple[str, ...], Setting(Many(_WORD, "words"), "What it takes.", otherwise="all")] = ()
    spits: Annotated[tuple[str, ...], Setting(Many(_WORD, "words"), "What it gives.", otherwise="none")] = ()


class _Wood(msgspec.Struct, frozen=True):
    """All of them."""


_TREES = Table("trees", _Tree, is_list=True)
_WOOD = Table("", _Wood, tables=(_TREES,))


class _Case:
    """A text, read, and what has been noted of it."""

    def __init__(self, text: str) -> None:
        self.report = Report("file.toml")
        self.reader = Reader(locate(text), self.report, around=Around({}, Path()))
        file = self.reader.file(_WOOD, tomllib.loads(text, parse_float=Decimal))
        self.trees: tuple[Entry[_Tree], ...] = self.reader.many(_TREES, file)

    @property
    def noted(self) -> list[tuple[int, int, Code, str]]:
        """Line, column, code and message of each."""
        return [(each.line, each.column, each.code, each.message) for each in self.report.problems]


def test_names_are_told_apart() -> None:
    case = _Case("trees = [\n{ name = 'oak' },\n{ name = 'ash' },\n{ name = 'oak' },\n{ name = 'oak' }]")
    refuse_twins(case.reader, case.trees, key="name")

    assert [
        (4, 10, Code.DUPLICATE, "`name` is `oak` once more"),
        (5, 10, Code.DUPLICATE, "`name` is `oak` once more"),
    ] == case.noted
    assert {"line 2 has it already: change one of them"} == {each.hint for each in case.report.problems}


def test_names_that_are_missing_or_no_texts_are_not_alike() -> None:
    case = _Case("trees = [{}, {}, { name = 1 }, { name = 1 }]")
    before = case.noted
    refuse_twins(case.reader, case.trees, key="name")

    assert before == case.noted


@pytest.mark.parametrize(
    ("lists", "noted"),
    [
        (
            "eats = ['a', 'b']\nspits = ['c', 'b']",
            [(4, 15, Code.CONFLICT, "`b` is under `eats` as well as under `spits`")],
        ),
        ("eats = ['a']\nspits = ['b']", []),
        ("eats = ['a']", []),
        ("spits = ['a']", []),
    ],
)
def test_two_lists_do_not_contradict_each_other(lists: str, noted: list[tuple[int, int, Code, str]]) -> None:
    case = _Case(f"[[trees]]\nname = 'oak'\n{lists}")
    refuse_overlap(case.reader, case.trees[0], one="eats", other="spits")

    assert noted == case.noted


def test_lists_that_are_none_are_noted_once() -> None:
    case = _Case("[[trees]]\nname = 'oak'\neats = 'a'\nspits = [['a']]")
    before = case.noted
    refuse_overlap(case.reader, case.trees[0], one="eats", other="spits")

    assert 2 == len(before) == len(case.noted)


@pytest.mark.parametrize(
    ("numbers", "noted"),
    [
        ("low = 3", []),
        ("low = 4", [(3, 7, Code.CONFLICT, "`low` (4) is more than `high` (3)")]),
        ("high = 0", []),
        ("high = 1_000\nlow = 2_000", [(4, 7, Code.CONFLICT, "`low` (2,000) is more than `high` (1,000)")]),
        ("low = 10_000", [(3, 7, Code.BAD_VALUE, "`low` must be a whole number from 0 to 9,999, not 10000")]),
    ],
)
def test_one_number_is_at_most_another(numbers: str, noted: list[tuple[int, int, Code, str]]) -> None:
    """What isn't known is in order, and what is not right is noted once."""
    case = _Case(f"[[trees]]\nname = 'oak'\n{numbers}")
    keep_order(case.reader, case.trees[0], low="low", high="high", hint="swap them")

    assert noted == case.noted


@pytest.mark.parametrize(("numbers", "line"), [("slow = 3", 3), ("fast = 0.5", 3), ("fast = 1\nslow = 1.5", 4)])
def test_the_number_that_is_given_is_the_one_that_is_told(numbers: str, line: int) -> None:
    case = _Case(f"[[trees]]\nname = 'oak'\n{numbers}")
    keep_order(case.reader, case.trees[0], low="slow", high="fast", hint="swap them")

    assert [(line, Code.CONFLICT, "swap them")] == [(each.line, each.code, each.hint) for each in case.report.problems]


def test_a_table_without_a_value_is_in_order() -> None:
    case = _Case("[[trees]]\nlow = 9")
    keep_order(case.reader, case.trees[0], low="low", high="high", hint="swap them")

    assert [Code.MISSING_KEY] == [each.code for each in case.report.problems]
