"""What `tomllib` says of a text that isn't TOML, with its place and a way out."""

from __future__ import annotations

import re
from typing import Final

from satisfice.config.problems import NOWHERE
from satisfice.config.spans import Span

__all__ = ["explain"]


def explain(error: Exception, text: str) -> tuple[Span, str, str]:
    """Where the text is wrong, in what way, and what to do."""
    lines = text.rstrip().split("\n")
    reported = _REPORTED.fullmatch(str(error))
    if reported is None:
        is_deep = isinstance(error, RecursionError)
        reason = "brackets are nested too deeply" if is_deep else "a number has thousands of digits"
        return NOWHERE, f"the file can't be read: {reason}", _SPECIFICATION
    said = reported["said"]
    line = min(int(reported["line"] or len(lines)), len(lines))
    source = lines[line - 1]
    at = Span(line, int(reported["column"] or len(source) + 1), 1)
    if source[at.column - 1 : at.column] == ":":
        return at, "a key and its value are joined by `=`", "write = instead of :"
    if said == "Invalid value" and at.column > len(source):
        return at, "a value is missing here", "write one, or close the bracket before it"
    for pattern, message, hint in _KNOWN:
        if re.match(pattern, said):
            return _place(said, at, source=source), message, hint
    return _word(at, source), f"{said[0].lower()}{said[1:]}", _SPECIFICATION


_REPORTED: Final = re.compile(
    r"(?P<said>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_SPECIFICATION: Final = "the rules are at https://toml.io/en/v1.0.0"
_KNOWN: Final = (
    (r"Expected '=' after a key", "this name has no value", "write name = value"),
    (r"Invalid value", "this is not a value", 'put texts in quotes: "…"; a yes or no is true or false'),
    (r"Cannot overwrite|Duplicate", "this is already set", "keep one of the two"),
    (
        r"Cannot (?:declare|redefine|mutate)",
        "this table is already there",
        "put its settings together, or write [[…]] for one more in a list",
    ),
    (r"Unterminated string|Expected \"'\"|Illegal character '\\n'", "this text is never closed", "close its quotes"),
    (
        r"Unescaped",
        "this text has a backslash that means nothing",
        "put it in 'single quotes', or double the backslash",
    ),
    (r"Expected newline", "something more follows the setting", "one setting per line; put texts in quotes"),
    (r"Expected '\]", "this header is never closed", "close its brackets: [table] or [[list]]"),
    (r"Unclosed array", "this list is never closed", "close it with ]"),
    (r"Unclosed inline table", "this table in braces is never closed", "close it with } in the same line"),
    (
        r"Invalid statement|Invalid initial|Found invalid",
        "this is neither a setting nor a table",
        "write name = value, [table] or # comment",
    ),
)


def _place(said: str, at: Span, *, source: str) -> Span:
    if said.startswith(("Cannot", "Duplicate")):
        return _name(at, source)
    # Of a bad escape, the place behind it is reported.
    return _word(at._replace(column=at.column - 2) if said.startswith("Unescaped") else at, source)


def _word(at: Span, source: str) -> Span:
    """From the place to the end of the word."""
    word = re.compile(r"[^\s,\]}#]*").match(source, at.column - 1)
    return at._replace(length=len(word[0])) if word and word[0] else at


def _name(at: Span, source: str) -> Span:
    """The key or the header that the line begins with."""
    name = re.match(r"\s*(\[+[^\]]*\]*|[^=]*[^=\s])?", source)
    start, end = name.span(1) if name and name[1] else (0, 1)
    return Span(at.line, start + 1, end - start)
