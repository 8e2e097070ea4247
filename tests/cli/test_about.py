"""The version and the completion scripts."""

from __future__ import annotations

import json
import platform

import pytest

from satisfice import __version__
from satisfice.cli.main import run


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["version"])
    assert f"satisfice {__version__}\n" == capsys.readouterr().out


def test_the_version_for_a_report_names_python_and_the_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["version", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert {"satisfice", "python", "platform", "libraries"} == told.keys()
    assert platform.python_version() == told["python"]
    assert told["libraries"]["msgspec"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script_and_nothing_else(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["completion", shell])

    captured = capsys.readouterr()
    assert f"_SATISFICE_COMPLETE={shell}_complete" in captured.out
    assert "" == captured.err


def test_commands_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the script asks the program at each press of the Tab key."""
    for name, value in {"_SATISFICE_COMPLETE": "bash_complete", "COMP_WORDS": "satisfice o", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        run([])

    assert "plain,offers\n" == capsys.readouterr().out
