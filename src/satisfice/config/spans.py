"""Where each key and each value of a TOML text stands.

`tomllib` says what a text means, not where it says so. This is its other half:
the text is known to be valid, so only the boundaries have to be found, not the
values. One pass, no copy of the text but of its keys.

    statement  header | pair
    header     [key] | [[key]]          opens a table, or the next of a list of tables
    pair       key = value
    key        part . part . …          bare, "basic" or 'literal'
    value      string | array | inline table | scalar
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["Extent", "KeyPath", "Span", "Spans", "locate"]

KeyPath = tuple[str | int, ...]
"""Names of tables and keys and, in arrays, numbers from 0, as one would index what `tomllib.loads` returns."""

Extent = tuple[int, int]
"""A piece of a text: where it begins, and where what follows it begins."""


class Span(NamedTuple):
    """A piece of one line."""

    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    length: int
    """In characters; of a piece that goes on, up to the end of its first line."""


class Spans:
    """Where keys, values and comments stand; made by `locate`."""

    __slots__ = ("_lines", "comments", "keys", "text", "values")

    def __init__(
        self, text: str, keys: Mapping[KeyPath, Extent], *, values: Mapping[KeyPath, Extent], comments: Sequence[Extent]
    ) -> None:
        """Take what was found in the text."""
        self.text = text
        self.keys = keys
        """The part of a key that names the last element of the path, at its first mention, quotes included."""
        self.values = values
        """A value; of a table with a header, the header."""
        self.comments = comments
        """From the `#` to the end of the line."""
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def key(self, path: KeyPath) -> Span:
        """Where the last name of the path stands; for an element of an array, the element; else what is around it."""
        found = self._nearest(path)
        return self.span(self.keys.get(found) or self.values.get(found) or (0, 0))

    def value(self, path: KeyPath) -> Span:
        """Where the value stands; for a table without a header of its own, its name; else what is around it."""
        found = self._nearest(path)
        return self.span(self.values.get(found) or self.keys.get(found) or (0, 0))

    def span(self, extent: Extent) -> Span:
        """Line, column and length of a piece of the text."""
        start, stop = extent
        line = bisect_right(self._lines, start)
        end = self.text.find("\n", start)
        return Span(line, start - self._lines[line - 1] + 1, min(stop, len(self.text) if end < 0 else end) - start)

    def _nearest(self, path: KeyPath) -> KeyPath:
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return path


def locate(text: str) -> Spans:
    """Find every key path that `tomllib.loads(text)` has. The text must be valid TOML."""
    found = _Locator(text)
    found.document()
    return Spans(text, found.keys, values=found.values, comments=found.comments)


# No possessive quantifiers, which would say it better: before CPython 3.11.5 they match wrongly (gh-106052).
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"#[^\n]*")
_PART: Final = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|\'[^\']*\'')
# Up to two quotes may stand right before the three that close a multi-line string.
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|""?(?!"))*"{3,5}'
    r"|'''(?:[^']|''?(?!'))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
# Numbers, booleans and dates, which may hold one space: `1979-05-27 07:32:00`.
_SCALAR: Final = re.compile(r"[^,\]}#\n]*[^,\]}#\s]")


class _Locator:
    """Goes through the text once, from left to right."""

    def __init__(self, text: str) -> None:
        self.keys: dict[KeyPath, Extent] = {}
        self.values: dict[KeyPath, Extent] = {}
        self.comments: list[Extent] = []
        self._text = text
        self._at = 0
        self._tables: dict[KeyPath, int] = {}
        """How many elements each list of tables has so far."""

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip() < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        start = self._at
        is_list = self._text.startswith("[[", start)
        self._at += 2 if is_list else 1
        path = self._key((), through_lists=not is_list)
        if is_list:
            count = self._tables.get(path, 0)
            self._tables[path] = count + 1
            path = (*path, count)
        self._at += 2 if is_list else 1
        self.values.setdefault(path, (start, self._at))
        return path

    def _pair(self, table: KeyPath) -> None:
        path = self._key(table)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self, path: KeyPath, *, through_lists: bool = False) -> KeyPath:
        """Read a dotted key; in headers, the name of a list of tables means its latest element."""
        while True:
            self._skip()
            start = self._at
            self._at = self._end_of(_PART)
            path = (*path, _plain(self._text[start : self._at]))
            self.keys.setdefault(path, (start, self._at))
            self._skip()
            is_last = self._text[self._at] != "."
            if path in self._tables and (through_lists or not is_last):
                path = (*path, self._tables[path] - 1)
            if is_last:
                return path
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip()
        start = self._at
        match self._text[start]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._at = self._end_of(_STRING)
            case _:
                self._at = self._end_of(_SCALAR)
        self.values[path] = (start, self._at)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        count = 0
        while not self._closes("]"):
            self._value((*path, count))
            count += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while not self._closes("}"):
            self._pair(path)

    def _closes(self, bracket: str) -> bool:
        """Step over a comma if there is one, and over the bracket, if it's there."""
        self._skip()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip()
        closed = self._text[self._at] == bracket
        self._at += closed
        return closed

    def _skip(self) -> int:
        """Step over white space and comments; where that leads to."""
        self._at = self._end_of(_SPACE)
        while self._text.startswith("#", self._at):
            start, self._at = self._at, self._end_of(_COMMENT)
            self.comments.append((start, self._at))
            self._at = self._end_of(_SPACE)
        return self._at

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not TOML at character {self._at}")
        return match.end()


def _plain(part: str) -> str:
    """A part of a key without its quotes and escapes."""
    if part[0] == "'" or (part[0] == '"' and "\\" not in part):
        return part[1:-1]
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] == '"' else part
