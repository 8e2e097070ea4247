"""`satisfice version` and `satisfice completion`: about the program itself."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Final, cast

import click
from click.shell_completion import ShellComplete, get_completion_class

from satisfice import __version__
from satisfice.cli import options, render

__all__ = ["completion", "version"]

_PARTS: Final = ("aiofastnet", "click", "httptools", "msgspec", "python-socks", "rich", "uvicorn", "uvloop")


@click.command()
@options.as_json
@options.no_color
def version(*, as_json: bool) -> None:
    """Print the version.

    With --json also that of Python and of the libraries: for reports of bugs.
    """
    if as_json:
        parts = {name: _installed(name) for name in _PARTS}
        about = {"satisfice": __version__, "python": platform.python_version(), "platform": platform.platform()}
        render.json({**about, "libraries": parts})
    else:
        render.data(f"satisfice {__version__}")


@click.command(
    epilog=options.examples(
        "satisfice completion bash > ~/.local/share/bash-completion/completions/satisfice",
        "satisfice completion zsh > ~/.zfunc/_satisfice",
        "satisfice completion fish > ~/.config/fish/completions/satisfice.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.no_color
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    kind = cast("type[ShellComplete]", get_completion_class(shell))  # click knows these three
    render.data(kind(context.find_root().command, {}, "satisfice", "_SATISFICE_COMPLETE").source())


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
