"""Reading a document against tables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from satisfice.config.choices import Many
from satisfice.config.problems import Code, Problem, Report
from satisfice.config.reading import Entry, Reader
from satisfice.config.references import Around, Sealed, check_token
from satisfice.config.spans import locate
from satisfice.config.tables import Setting, Table
from satisfice.config.values import Number, Text, Whole
from satisfice.core.secrets import Secret


class _Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One of many."""

    id: Annotated[str, Setting(Text("a word", "[a-z]+"), "Its name.", example='"word"')]


class _Tree(msgspec.Struct, frozen=True, kw_only=True):
    """One table."""

    count: Annotated[int, Setting(Whole(0, 9), "How many.")] = 3
    seconds: Annotated[float, Setting(Number(0, 9), "How long.")] = 1.0
    key: Annotated[Secret | None, Setting(Sealed("a secret", check_token, lambda _: False), "A key.")] = None
    words: Annotated[tuple[str, ...], Setting(Many(Text("a word", "[a-z]+"), "words"), "Some.", example='["a"]')] = ()


class _Empty(msgspec.Struct, frozen=True):
    """Nothing."""


_LEAVES = Table("tree.leaves", _Leaf, is_list=True)
_TREE = Table("tree", _Tree, tables=(_LEAVES,))
_FILE = Table("", _Empty, tables=(_TREE,))


def test_what_is_there_is_read_and_what_is_not_has_its_default() -> None:
    tree, leaves, problems = _read('[tree]\nseconds = 2\nkey = "env:KEY"\n[[tree.leaves]]\nid = "a"')

    assert _Tree(count=3, seconds=2.0, key=Secret("sk-1")) == tree.value
    assert [(_Leaf(id="a"), ("tree", "leaves", 0))] == [(leaf.value, leaf.path) for leaf in leaves]
    assert () == problems


def test_a_table_that_is_not_there_has_its_defaults() -> None:
    assert (_Tree(), ()) == (_read("")[0].value, _read("")[1])


def test_an_unfit_value_is_noted_and_replaced_by_the_default() -> None:
    tree, _, problems = _read("[tree]\ncount = 10\nseconds = 2.5")

    assert _Tree(seconds=2.5) == tree.value
    assert {"count": 10, "seconds": Decimal("2.5")} == tree.raw
    assert [(2, 9, Code.BAD_VALUE, "`count` must be a whole number from 0 to 9, not 10", "for example: count = 3")] == [
        _told(problem) for problem in problems
    ]


def test_an_unfit_value_in_a_list_is_noted_where_it_stands() -> None:
    tree, _, problems = _read('[tree]\nwords = [\n  "a",\n  "b c",\n]')

    assert _Tree() == tree.value
    assert [(4, 3, Code.BAD_VALUE, '`words` may hold a word, not "b c"', 'for example: words = ["a"]')] == [
        _told(problem) for problem in problems
    ]


def test_a_table_without_what_it_needs_has_no_value() -> None:
    _, leaves, problems = _read("[[tree.leaves]]\n[[tree.leaves]]\nid = 5")

    assert [None, None] == [leaf.value for leaf in leaves]
    assert [
        (1, 1, Code.MISSING_KEY, "[[tree.leaves]] needs `id`", 'add id = "word"'),
        (3, 6, Code.BAD_TYPE, "`id` must be a word, not 5", 'write it in quotes: "5"'),
    ] == [_told(problem) for problem in problems]


def test_an_unknown_key_is_noted_at_the_key() -> None:
    _, _, problems = _read("[tree]\n  cuont = 1\n[bush]")

    assert [
        (2, 3, Code.UNKNOWN_KEY, "`cuont` is not a setting of [tree]", "did you mean `count`?"),
        (3, 2, Code.UNKNOWN_KEY, "`bush` means nothing at the top of the file", "there are [tree]"),
    ] == [_told(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("tree = 1", Code.BAD_TYPE, "`tree` must be a table, not a single value", "write [tree]"),
        ("[[tree]]", Code.BAD_TYPE, "`tree` must be a table, not a list", "write [tree]"),
        (
            "[tree.leaves]\nid = 'a'",
            Code.BAD_TYPE,
            "`leaves` must be a list of tables",
            'write [[tree.leaves]] and, in the next line, id = "word"',
        ),
        (
            "[tree.leaves.oak]",
            Code.BAD_TYPE,
            "`leaves` must be a list of tables",
            'write [[tree.leaves]] and, in the next line, id = "oak"',
        ),
        (
            "tree.leaves = ['a', {id = 'b'}]",
            Code.BAD_TYPE,
            "`leaves` must be a list of tables",
            'write [[tree.leaves]] and, in the next line, id = "word"',
        ),
    ],
)
def test_a_table_in_another_shape_is_noted_once(text: str, code: Code, message: str, hint: str) -> None:
    tree, leaves, problems = _read(text)

    assert [(code, message, hint)] == [_told(problem)[2:] for problem in problems]
    assert (_Tree(), ()) == (tree.value, leaves)


def test_a_secret_in_the_file_works_but_is_warned_of() -> None:
    tree, _, problems = _read('[tree]\nkey = "sk-2"')

    assert Secret("sk-2") == (tree.value or _Tree()).key
    assert [Code.LITERAL_SECRET] == [problem.code for problem in problems]


@pytest.mark.parametrize("value", ['"sk 2"', "2", '["sk-2"]', '"env:sk-2"'])
def test_no_message_about_a_secret_repeats_it(value: str) -> None:
    _, _, problems = _read(f"[tree]\nkey = {value}")

    assert 1 == len(problems)
    assert "2" not in problems[0].message + problems[0].hint


def test_a_place_has_a_line() -> None:
    text = "[tree]\n\ncount = 1"
    reader = Reader(locate(text), Report("file.toml"), around=Around({}, Path()))

    assert 3 == reader.line_of(("tree", "count"))


def _read(text: str) -> tuple[Entry[_Tree], tuple[Entry[_Leaf], ...], tuple[Problem, ...]]:
    document: Mapping[str, object] = tomllib.loads(text, parse_float=Decimal)
    report = Report("file.toml", text.split("\n"))
    reader = Reader(locate(text), report, around=Around({"KEY": "sk-1"}, Path()))
    tree = reader.one(_TREE, reader.file(_FILE, document))
    return tree, reader.many(_LEAVES, tree), report.problems


def _told(problem: Problem) -> tuple[int, int, Code, str, str]:
    return problem.line, problem.column, problem.code, problem.message, problem.hint
