"""What is said of a text that isn't TOML."""

from __future__ import annotations

import tomllib

import pytest

from satisfice.config.problems import NOWHERE
from satisfice.config.spans import Span
from satisfice.config.syntax import explain


@pytest.mark.parametrize(
    ("text", "span", "message"),
    [
        ("port: 80", Span(1, 5, 1), "a key and its value are joined by `=`"),
        ("port", Span(1, 5, 1), "this name has no value"),
        ("port 80", Span(1, 6, 2), "this name has no value"),
        ("a = 1\nport = yes # no", Span(2, 8, 3), "this is not a value"),
        ("port =", Span(1, 7, 1), "a value is missing here"),
        ("port = \n\n", Span(1, 8, 1), "a value is missing here"),
        ("list = [", Span(1, 9, 1), "a value is missing here"),
        ("list = [1,\n2\n", Span(2, 2, 1), "this list is never closed"),
        ("a = {b = 1", Span(1, 11, 1), "this table in braces is never closed"),
        ("a = 1\n  a = 2\n", Span(2, 3, 1), "this is already set"),
        ('"a b" = {c = 1, c = 2}', Span(1, 1, 5), "this is already set"),
        ("[t]\n[t]\n", Span(2, 1, 3), "this table is already there"),
        ("[[t]]\n[t] # again", Span(2, 1, 3), "this table is already there"),
        ('a = "x\nb = 1', Span(1, 7, 1), "this text is never closed"),
        ("a = 'x", Span(1, 7, 1), "this text is never closed"),
        ('a = "C:\\temp\\x"', Span(1, 13, 3), "this text has a backslash that means nothing"),
        ("a = 1 b = 2", Span(1, 7, 1), "something more follows the setting"),
        ("[t", Span(1, 3, 1), "this header is never closed"),
        ("[[t]\n", Span(1, 4, 1), "this header is never closed"),
        ("- a", Span(1, 3, 1), "this name has no value"),
        ("= 1", Span(1, 1, 1), "this is neither a setting nor a table"),
        ('a = "\\ud800"', Span(1, 12, 1), "escaped character is not a Unicode scalar value"),
    ],
)
def test_a_mistake_is_explained_where_it_stands(text: str, span: Span, message: str) -> None:
    found, said, hint = explain(_error(text), text)

    assert (span, message) == (found, said)
    assert hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a = {'[' * 5_000}", "the file can't be read: brackets are nested too deeply"),
        (f"a = {'9' * 5_000}", "the file can't be read: a number has thousands of digits"),
    ],
)
def test_what_breaks_the_parser_itself_has_no_place(text: str, message: str) -> None:
    span, said, _ = explain(_error(text), text)

    assert (NOWHERE, message) == (span, said)


def _error(text: str) -> Exception:
    with pytest.raises((ValueError, RecursionError)) as raised:
        tomllib.loads(text)
    return raised.value
