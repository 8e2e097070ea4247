"""What goes where, in colour and without, and what a bug of ours looks like."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from satisfice.cli import render
from satisfice.config.load import load
from tests.cli.program import Program

BROKEN = '[server]\nmastre_token = "env:X"\nhost = "0.0.0.0"\n'


def test_data_goes_to_stdout_and_all_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    render.data("data")
    render.json({"price": 5})
    render.note("note")
    render.next_step("satisfice demo", "to try it")
    render.failure("It broke.", "satisfice check")

    captured = capsys.readouterr()
    assert 'data\n{\n  "price": 5\n}\n' == captured.out
    assert ("note\nNext: satisfice demo  (to try it)\nerror: It broke.\n hint: satisfice check\n") == captured.err


def test_columns_are_aligned_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(("MODEL", " PRICE", "FROM"), [("small", "5", "acme"), ("very-large", "1,200", "b")])

    assert ("MODEL       PRICE  FROM\nsmall           5  acme\nvery-large  1,200  b\n") == capsys.readouterr().out


def test_a_column_without_cells_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(("MODEL", " CACHED", "FROM"), [("small", "", "acme"), ("large", "", "b")])

    assert "MODEL  FROM\nsmall  acme\nlarge  b\n" == capsys.readouterr().out


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(("MODEL", " PRICE"), [])

    assert "MODEL  PRICE\n" == capsys.readouterr().out


def test_problems_are_shown_as_the_configuration_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = load(BROKEN, file="satisfice.toml", env={}, base=Path()).problems

    render.problems(found)

    assert (
        "satisfice.toml:2:1: error[unknown-key]: `mastre_token` is not a setting of [server]\n"
    ) == capsys.readouterr().err.splitlines(keepends=True)[0]


def on_a_terminal(*arguments: str, folder: Path, env: Mapping[str, str]) -> str:
    """What `satisfice` prints where people are."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "satisfice", *arguments]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "80", **env}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=folder, env=variables) as process:
        os.close(its)
        said = b""
        try:
            while piece := os.read(ours, 65_536):
                said += piece
        except OSError:  # what Linux says when the other end is closed
            pass
        process.wait()
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "satisfice.toml").write_text(BROKEN)
    return tmp_path


def test_on_a_terminal_what_is_wrong_is_red(broken: Path) -> None:
    said = on_a_terminal("check", folder=broken, env={})

    assert "satisfice.toml:2:1: \x1b[31merror\x1b[0m[unknown-key]" in said
    assert "| \x1b[31m^^^^^^^^^^^^\x1b[0m " in said


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("check",), {"NO_COLOR": "1"}),
        (("check",), {"TERM": "dumb"}),
        (("check", "--no-color"), {}),
        (("--no-color", "check"), {}),
        (("--no-color", "explain", "--demo", "--model", "x", "Hello"), {}),
        (("models", "--demo", "--no-color"), {}),
        (("models", "--demo"), {"NO_COLOR": "1"}),
        (("--no-color", "chekc"), {}),
    ],
)
def test_who_wants_no_colour_gets_none(broken: Path, arguments: tuple[str, ...], env: Mapping[str, str]) -> None:
    said = on_a_terminal(*arguments, folder=broken, env=env)

    assert said
    assert "\x1b" not in said


def test_on_a_terminal_a_table_fits_its_width(tmp_path: Path) -> None:
    said = on_a_terminal("demo", "--list", folder=tmp_path, env={})

    lines = re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("cut-before-first-token") for line in lines)


CRASH = """
import sys
from satisfice.cli import about, main
def crash(): raise ValueError("of a secret")
about.version.callback = crash
about.version.params.clear()
sys.argv = ["satisfice", "version"]
main.main()
"""


@pytest.mark.parametrize(("env", "shows_where"), [({}, False), ({"SATISFICE_DEBUG": "1"}, True)])
def test_a_bug_of_ours_is_one_line_unless_somebody_wants_to_find_it(
    tmp_path: Path, env: Mapping[str, str], *, shows_where: bool
) -> None:
    with Program("-c", CRASH, folder=tmp_path, env=env, python=(sys.executable,)) as program:
        code = program.end()

    assert (1, "") == (code, program.stdout)
    assert shows_where == ("Traceback" in program.stderr)
    assert shows_where == ("of a secret" in program.stderr)
    assert shows_where == ("this is a bug of Satisfice: ValueError" not in program.stderr)


def test_json_is_for_programs_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    render.json({"id": "modèle", "none": None})

    assert {"id": "modèle", "none": None} == json.loads(capsys.readouterr().out)
