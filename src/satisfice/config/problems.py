"""What is wrong with a file of settings: the kinds of problems, where each stands, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from unicodedata import combining, east_asian_width

from satisfice.config.spans import KeyPath, Span

__all__ = ["NOWHERE", "Code", "Problem", "Report", "Severity", "Unfit", "as_json", "render", "summary"]

NOWHERE: Final = Span(0, 0, 0)
"""The place of a problem with the file as a whole."""


class Severity(Enum):
    """Whether the gateway can do with the file."""

    ERROR = "error"
    WARNING = "warning"


class Code(Enum):
    """The kinds of problems; each has a label that stays, and is explained in docs/configuration.md."""

    BAD_REFERENCE = "A secret is named in a way that leads nowhere."
    BAD_TYPE = "A value is of the wrong kind: a text instead of a number, a table instead of a list."
    BAD_VALUE = "A value is of the right kind, but not one that the setting can have."
    CA_FILE = "The certificates to trust can't be read."
    CONFLICT = "Two settings contradict each other."
    DUPLICATE = "Two of a kind have the same name, two callers the same key, or a list has something twice."
    ENCODING = "The file isn't UTF-8."
    INCOMPLETE_PRICE = "A model has an input price or an output price, but not both."
    KEY_FILE = "The file that should hold a secret can't be read."
    KEY_FILE_MODE = "Others than its owner may read the file that holds a secret."
    MISSING_KEY = "A setting without a default is missing."
    MISSING_RATE = "A price is in dollars, and nothing says what a bitcoin costs."
    MISSING_VARIABLE = "The environment variable that should hold a secret isn't set."
    MIXED_UNITS = "The prices of a model are partly in millisatoshi and partly in dollars."
    OPEN_TO_NETWORK = "Other machines could use the gateway, and spend its money, without a token."
    SYNTAX = "The file isn't TOML."
    TIERS = "The prices for long prompts don't rise in their thresholds, or have no price that they change."
    UNKNOWN_KEY = "The file has a key or a table that means nothing there."
    UNKNOWN_NAME = "A policy or a provider is named that there isn't."
    UNREADABLE = "The file itself can't be read."
    LITERAL_SECRET = "A secret stands in the file itself.", Severity.WARNING
    NO_MODELS = "A provider offers nothing.", Severity.WARNING
    PLAIN_FEED = "Prices come from another machine unprotected, and may be changed on the way.", Severity.WARNING
    UNPRICED_MODEL = "It isn't known what a model costs, so it isn't used.", Severity.WARNING
    UNREACHABLE_TIMEOUT = "A timeout is longer than the whole call may take.", Severity.WARNING

    def __init__(self, meaning: str, severity: Severity = Severity.ERROR) -> None:
        self.label = self.name.lower().replace("_", "-")
        self.meaning = meaning
        self.severity = severity


class Unfit(Exception):
    """A value that a setting can't have."""

    def __init__(self, why: str = "", *, hint: str = "", code: Code = Code.BAD_VALUE, at: KeyPath = ()) -> None:
        """Why, as what follows the setting's name, unless its kind says it all; what to write instead, if known."""
        super().__init__(why)
        self.why = why
        self.hint = hint
        self.code = code
        self.at = at
        """Where in the value, if it's a list or a table."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong, where it stands, and the way out of it."""

    file: str
    line: int
    """From 1; 0 if it's the file as a whole."""
    column: int
    """From 1, in characters."""
    length: int
    code: Code
    message: str
    hint: str
    source_line: str
    """The line with its secrets taken out; all else stands in the columns that it has in the file."""

    @property
    def severity(self) -> Severity:
        """Of its code."""
        return self.code.severity


class Report:
    """The problems of one file, collected."""

    def __init__(self, file: str, lines: Sequence[str] = ()) -> None:
        """Take the file's name and its lines, fit to be shown."""
        self._file = file
        self._lines = lines
        self._found: list[Problem] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return tuple(sorted(self._found, key=lambda found: (found.line, found.column)))

    def add(self, code: Code, span: Span, *, message: str, hint: str) -> None:
        """Note a problem."""
        line = self._lines[span.line - 1] if 0 < span.line <= len(self._lines) else ""
        length = max(1, min(span.length, len(line) + 1 - span.column))
        self._found.append(Problem(self._file, span.line, span.column, length, code, message, hint, _printable(line)))


def render(problem: Problem) -> str:
    """A problem for people, without colour: where and what, the line, and what to do under carets."""
    kind = f"{problem.severity.value}[{problem.code.label}]: {problem.message}"
    if not problem.line:
        return f"{problem.file}: {kind}\n      | {problem.hint}"
    line, before = _window(problem.source_line, problem.column - 1)
    carets = "^" * max(1, sum(map(_cells, line[before : before + problem.length])))
    return (
        f"{problem.file}:{problem.line}:{problem.column}: {kind}\n"
        f"{problem.line:>5} | {line}\n"
        f"      | {_blank(line[:before])}{carets} {problem.hint}"
    )


def as_json(problem: Problem) -> dict[str, str | int]:
    """A problem for programs, as the object that `--json` prints."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "length": problem.length,
        "severity": problem.severity.value,
        "code": problem.code.label,
        "message": problem.message,
        "hint": problem.hint,
        "source_line": problem.source_line,
    }


def summary(problems: Iterable[Problem]) -> str:
    """How many of each: `2 errors, 1 warning`; `no problems`."""
    found = [problem.severity for problem in problems]
    counts = ((found.count(severity), severity.value) for severity in Severity)
    return ", ".join(f"{count} {name}{'s' * (count > 1)}" for count, name in counts if count) or "no problems"


_WIDTH: Final = 100
_LEFT: Final = 30


def _window(line: str, at: int) -> tuple[str, int]:
    """A line short enough not to wrap, and where the place is in it."""
    start = max(0, min(at - _LEFT, len(line) - _WIDTH))
    head = "…" if start else ""
    tail = "…" if len(line) > start + _WIDTH else ""
    return f"{head}{line[start : start + _WIDTH]}{tail}", min(at, len(line)) - start + len(head)


def _blank(text: str) -> str:
    """White space as wide as the text is on a terminal."""
    return "".join("\t" if each == "\t" else " " * _cells(each) for each in text)


def _cells(character: str) -> int:
    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def _printable(line: str) -> str:
    """A line that can't command the terminal it is shown on."""
    return "".join(each if each.isprintable() or each == "\t" else "\N{REPLACEMENT CHARACTER}" for each in line)
