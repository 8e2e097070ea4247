"""Options are the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from satisfice.cli import options
from satisfice.cli.main import COMMANDS, root


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


ALL = dict(commands(root))
FLAGS = {
    "as_json": ["--json"],
    "config_file": ["-c", "--config"],
    "from_demo": ["--demo"],
    "is_verbose": ["-v", "--verbose"],
    "log_format": ["--log"],
    "model": ["-m", "--model"],
    "no_color": ["--no-color"],
    "port": ["-p", "--port"],
    "provider": ["--provider"],
}


def test_every_command_is_looked_at() -> None:
    assert set(COMMANDS) < set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_can_do_without_colour(name: str) -> None:
    assert "no_color" in [parameter.name for parameter in ALL[name].params]


@pytest.mark.parametrize("name", ALL)
def test_the_same_option_has_the_same_flags_everywhere(name: str) -> None:
    for parameter in ALL[name].params:
        if parameter.name in FLAGS:
            assert FLAGS[parameter.name] == parameter.opts


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in ALL[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.help.endswith(".")


def test_examples_keep_their_lines() -> None:
    assert "\b\nExamples:\n  satisfice a\n  satisfice b" == options.examples("satisfice a", "satisfice b")
