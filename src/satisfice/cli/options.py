"""Options that several commands have, so that they are the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from satisfice.cli import render

__all__ = [
    "as_json",
    "config",
    "examples",
    "from_demo",
    "log",
    "model",
    "no_color",
    "provider",
    "verbose",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def examples(*commands: str) -> str:
    """What stands below a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


def no_color(command: _Command) -> _Command:
    """`--no-color`, after any command as well as before it."""
    return click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        callback=lambda context, _, is_wanted: _obey(context, is_wanted=is_wanted),
        help="No colour; as NO_COLOR=1.",
    )(command)


def _obey(context: click.Context, *, is_wanted: bool) -> None:
    """The option, or the variable (https://no-color.org)."""
    if is_wanted or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        render.plain(context)


config: Final = click.option(
    "-c",
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration; by default the first of ./satisfice.toml, ~/.config/satisfice/config.toml and "
    "/etc/satisfice/config.toml that is there.",
)
as_json: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
from_demo: Final = click.option("--demo", "from_demo", is_flag=True, help="Of the demo, instead of your providers.")
model: Final = click.option("-m", "--model", metavar="MODEL", help="Only of this model.")
provider: Final = click.option("--provider", metavar="NAME", help="Only of this provider.")
log: Final = click.option(
    "--log",
    "log_format",
    type=click.Choice(["text", "json"]),
    help="For people on stderr, or a line of JSON for each event on stdout; by default json if stderr is no terminal.",
)
verbose: Final = click.option(
    "-v", "--verbose", "is_verbose", is_flag=True, help="Tell every call, not only the first."
)
