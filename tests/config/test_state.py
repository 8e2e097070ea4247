"""Where what is learnt is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from satisfice.config.load import load
from satisfice.config.problems import Code
from satisfice.config.state import state_folder

HOME = {"HOME": "/home/me"}


def named(written: str, base: Path, env: Mapping[str, str] = HOME) -> str | None:
    """What the settings say after this was written."""
    config = load(f"[server]\nstate_dir = {written}", file="satisfice.toml", env=env, base=base).config
    assert config is not None
    return config.server.state_dir


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('"state"', "{base}/state"),
        ('"~/state"', "/home/me/state"),
        ('"/var/lib/satisfice"', "/var/lib/satisfice"),
        (f'"/{"long" * 100}"', f"/{'long' * 100}"),
        ('""', ""),
    ],
)
def test_a_folder_is_the_same_from_wherever_the_gateway_runs(tmp_path: Path, written: str, path: str) -> None:
    assert path.format(base=tmp_path) == named(written, tmp_path)


def test_a_folder_may_be_there_already(tmp_path: Path) -> None:
    assert str(tmp_path) == named('"."', tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    [problem] = load('[server]\nstate_dir = "state"', file="satisfice.toml", env={}, base=tmp_path).problems

    assert (Code.BAD_VALUE, "`state_dir` is not a folder") == (problem.code, problem.message)


@pytest.mark.parametrize(
    ("text", "env", "folder"),
    [
        ("/var/lib/satisfice", HOME, "/var/lib/satisfice"),
        ("", HOME, None),
        (None, HOME, "/home/me/.local/state/satisfice"),
        (None, {**HOME, "XDG_STATE_HOME": "/state"}, "/state/satisfice"),
        (None, {**HOME, "XDG_STATE_HOME": "state"}, "/home/me/.local/state/satisfice"),
        (None, {**HOME, "XDG_STATE_HOME": ""}, "/home/me/.local/state/satisfice"),
        (None, {"HOME": ""}, None),
        (None, {}, None),
    ],
)
def test_what_the_settings_say_counts_and_then_the_environment(
    text: str | None, env: Mapping[str, str], folder: str | None
) -> None:
    found = state_folder(text, env)

    assert folder == (None if found is None else str(found))
