"""The tree of commands: its help, its exit codes, what it imports, and the console samples of its page."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from satisfice.cli.events import Event
from satisfice.cli.exits import Exit
from satisfice.cli.main import COMMANDS, root, run
from satisfice.cli.plan import here
from tests.cli.page import PAGE, Sample, samples
from tests.cli.program import Program


def test_help_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """This is what makes it instant, however slow the machine."""
    code = "import json, sys; from satisfice.cli.main import run; run(['--help']); print(json.dumps(list(sys.modules)))"

    with Program("-c", code, folder=tmp_path, python=(sys.executable,)) as program:
        assert 0 == program.end()

    loaded = set(json.loads(program.stdout.splitlines()[-1]))
    ours = {name for name in loaded if name.startswith("satisfice.")}
    assert set() == loaded & {
        "asyncio",
        "httptools",
        "logging",
        "msgspec",
        "rich",
        "socket",
        "ssl",
        "uvicorn",
        "uvloop",
    }
    assert {f"satisfice.cli{each}" for each in ("", ".exits", ".main", ".options", ".render")} == ours


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["--help"])

    told = capsys.readouterr().out
    assert [] == [name for name in COMMANDS if f"\n  {name} " not in told]


def test_without_a_command_there_is_help_too(capsys: pytest.CaptureFixture[str]) -> None:
    run([])

    captured = capsys.readouterr()
    assert "Examples:" in captured.out + captured.err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_as_the_list_of_commands_says(name: str) -> None:
    command = root.get_command(click.Context(root), name)

    assert command is not None
    assert COMMANDS[name].summary == (command.help or "").split("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run([name, "--help"])

    assert capsys.readouterr().out.startswith(f"Usage: satisfice {name} ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["srve"], "There is no command `srve`. Did you mean `serve`?"),
        (["xyzzy"], "There is no command `xyzzy`."),
        (["serve", "--prot", "1"], "No such option"),
        (["serve", "--port", "many"], "Invalid value for '-p' / '--port'"),
        (["explain"], "Missing argument 'PROMPT'."),
        (["--bad"], "No such option"),
        (["config", "shema"], "No such command 'shema'."),
    ],
)
def test_a_mistyped_command_line_exits_with_2_and_says_why(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == run(arguments)

    captured = capsys.readouterr()
    assert "" == captured.out
    assert captured.err.startswith(f"error: {message}")
    assert "\n hint: satisfice " in captured.err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["--version"])

    assert re.fullmatch(r"satisfice \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_an_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    command = click.Command("version", callback=interrupt)
    monkeypatch.setattr("satisfice.cli.about.version", command)

    assert 130 == run(["version"])


def test_a_reader_who_has_had_enough_is_no_failure(tmp_path: Path) -> None:
    """As in `satisfice config example | head -1`."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "satisfice", "config", "example"]
    os.close(reading)

    process = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    os.close(writing)

    assert (0, b"") == (process.returncode, process.stderr)


SERVING = ("satisfice demo", "satisfice serve")  # these samples are tested where their commands are
SAMPLES = [each for each in samples() if each.command not in SERVING]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.command)
def test_a_sample_of_the_page_prints_what_the_page_says(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sample.config and "check" in sample.command:
        (tmp_path / "satisfice.toml").write_text(sample.config)
    *variables, command = re.split(r"(?<=…) (?=satisfice)", sample.command)
    for name, value in (variable.split("=") for variable in variables):
        monkeypatch.setenv(name, value.replace("…", "key"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("satisfice.cli.setup.here", partial(here, local=()))
    printed = io.StringIO()

    with redirect_stdout(printed), redirect_stderr(printed):
        run(shlex.split(command)[1:])

    assert sample.output == printed.getvalue()


def test_the_page_tells_of_every_command() -> None:
    told = set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE))

    assert {"completion", "version"} == set(COMMANDS) - told
    assert set() == told - set(COMMANDS)


def test_the_page_tells_of_every_exit_code() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]

    assert sorted(Exit) == codes


def test_the_page_tells_of_every_event_and_what_it_has() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", PAGE, re.MULTILINE)
    told = {event: re.findall(r"`(\w+)`", fields) for event, fields in rows}
    kinds = [msgspec.inspect.type_info(kind) for kind in get_args(Event)]

    assert {
        kind.tag: [field.name for field in kind.fields if field.name != "time_ms"]
        for kind in kinds
        if isinstance(kind, msgspec.inspect.StructType)
    } == told
