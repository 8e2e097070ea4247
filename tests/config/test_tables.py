"""How a setting and a table of settings are described."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from satisfice.config.choices import Many
from satisfice.config.tables import Setting, Table
from satisfice.config.values import Flag, Kind, Number, Text, Whole


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A table to try."""

    needed: Annotated[str, Setting(Text("a word", "[a-z]+"), "It is needed.", example='"word"')]
    count: Annotated[int, Setting(Whole(0, 9), "How many.")] = 3
    words: Annotated[tuple[str, ...], Setting(Many(Text("a word", "[a-z]+"), "words"), "Some.", otherwise="none")] = ()


_TABLE = Table("outer.inner", _Shape, is_list=True)


def test_a_setting_has_the_name_and_the_default_of_its_field() -> None:
    needed, count, _ = _TABLE.settings

    assert ("needed", None, True) == (needed.name, needed.default, needed.is_required)
    assert ("count", 3, False) == (count.name, count.default, count.is_required)
    assert "How many." == count.doc


def test_an_empty_list_is_no_default_that_could_stand_in_the_file() -> None:
    words = _TABLE.settings[2]

    assert (None, False, "", "none") == (words.default, words.is_required, words.default_shown, words.otherwise)


def test_a_table_knows_how_it_stands_in_the_file() -> None:
    assert ("inner", "[[outer.inner]]", "A table to try.") == (_TABLE.key, _TABLE.header, _TABLE.doc)
    assert "[server]" == Table("server", _Shape).header


@pytest.mark.parametrize(
    ("kind", "default", "example", "shown"),
    [
        (Whole(0, 9), 3, "", "3"),
        (Number(0, 9), 30.0, "", "30.0"),
        (Flag(), False, "", "false"),
        (Flag(), False, "true", "true"),
        (Text("a word", "[a-z]+"), "word", "", '"word"'),
        (Text("a word", "[a-z]+"), None, '"other"', '"other"'),
    ],
)
def test_a_setting_is_shown_by_its_example_or_else_its_default(
    kind: Kind, default: object, example: str, shown: str
) -> None:
    assert shown == Setting(kind, "", example=example, default=default).shown
