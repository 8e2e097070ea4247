"""How problems are collected and shown."""

from __future__ import annotations

import json

import pytest

from satisfice.config.problems import (
    NOWHERE,
    Code,
    Problem,
    Report,
    Severity,
    Unfit,
    as_json,
    render,
    summary,
)
from satisfice.config.spans import Span


def test_a_problem_is_shown_with_its_place_its_line_and_a_way_out_under_carets() -> None:
    problem = _problem(Span(14, 1, 4), "prot = 80", message="`prot` is not a setting", hint="did you mean `port`?")

    assert render(problem).splitlines() == [
        "config.toml:14:1: error[unknown-key]: `prot` is not a setting",
        "   14 | prot = 80",
        "      | ^^^^ did you mean `port`?",
    ]


def test_a_problem_with_the_whole_file_has_no_line() -> None:
    problem = _problem(NOWHERE, "", code=Code.UNREADABLE, message="can't be read", hint="name another")

    assert render(problem).splitlines() == [
        "config.toml: error[unreadable]: can't be read",
        "      | name another",
    ]


@pytest.mark.parametrize(
    ("line", "span", "carets"),
    [
        ('name = "模型" # x', Span(1, 8, 4), "       ^^^^^^ hint"),
        ('"模型" = 1', Span(1, 8, 1), "         ^ hint"),
        ("\tport = 0", Span(1, 9, 1), "\t       ^ hint"),
        ('"e\N{COMBINING ACUTE ACCENT}" = 1', Span(1, 8, 1), "      ^ hint"),
        ("port =", Span(1, 7, 1), "      ^ hint"),
        ("key = …", Span(1, 40, 5), "       ^ hint"),
        ("port = 0", Span(1, 8, 99), "       ^ hint"),
    ],
    ids=["wide", "after wide", "tab", "combining", "at the end", "behind a mask", "cut short"],
)
def test_carets_stand_under_the_piece_whatever_its_characters(line: str, span: Span, carets: str) -> None:
    assert f"      | {carets}" == render(_problem(span, line)).splitlines()[2]


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    line = "a" * 300 + "bbb" + "c" * 300

    _, shown, carets = render(_problem(Span(1, 301, 3), line)).splitlines()

    assert (f"    1 | …{'a' * 30}bbb{'c' * 67}…", f"      | {' ' * 31}^^^ hint") == (shown, carets)


def test_a_line_can_not_command_the_terminal() -> None:
    assert "    1 | a = \N{REPLACEMENT CHARACTER}[2J" in render(_problem(Span(1, 1, 1), "a = \x1b[2J"))


def test_a_report_is_in_the_order_of_the_file() -> None:
    report = Report("config.toml", ["a", "bc"])
    for line, column in [(2, 2), (1, 1), (2, 1)]:
        report.add(Code.BAD_VALUE, Span(line, column, 1), message="", hint="")

    assert [(1, 1, "a"), (2, 1, "bc"), (2, 2, "bc")] == [
        (problem.line, problem.column, problem.source_line) for problem in report.problems
    ]


def test_what_a_program_reads_is_what_a_person_reads() -> None:
    problem = _problem(Span(3, 2, 4), " key = 1", code=Code.LITERAL_SECRET)

    assert {
        "file": "config.toml",
        "line": 3,
        "column": 2,
        "length": 4,
        "severity": "warning",
        "code": "literal-secret",
        "message": "message",
        "hint": "hint",
        "source_line": " key = 1",
    } == json.loads(json.dumps(as_json(problem)))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], "no problems"),
        ([Code.SYNTAX], "1 error"),
        ([Code.NO_MODELS, Code.NO_MODELS], "2 warnings"),
        ([Code.NO_MODELS, Code.SYNTAX, Code.SYNTAX], "2 errors, 1 warning"),
    ],
)
def test_a_summary_counts_errors_and_warnings(codes: list[Code], expected: str) -> None:
    assert expected == summary(_problem(NOWHERE, "", code=code) for code in codes)


def test_codes_have_names_and_meanings_of_their_own() -> None:
    assert len(Code) == len({code.label for code in Code}) == len({code.meaning for code in Code})
    assert set(Severity) == {code.severity for code in Code}


def test_an_unfit_value_is_bad_unless_said_otherwise() -> None:
    unfit = Unfit("is odd", hint="make it even")

    assert ("is odd", "make it even", Code.BAD_VALUE, ()) == (unfit.why, unfit.hint, unfit.code, unfit.at)


def _problem(
    span: Span, line: str, *, code: Code = Code.UNKNOWN_KEY, message: str = "message", hint: str = "hint"
) -> Problem:
    report = Report("config.toml", [""] * (span.line - 1) + [line])
    report.add(code, span, message=message, hint=hint)
    return report.problems[0]
