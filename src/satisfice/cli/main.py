"""The tree of commands. Each is imported only when it runs, so that `--help` is instant."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final, NamedTuple

import click

from satisfice import __version__
from satisfice.cli import options, render
from satisfice.cli.exits import Exit

__all__ = ["COMMANDS", "Entry", "main", "root", "run"]


class Entry(NamedTuple):
    """A command, before it is imported."""

    section: str
    module: str
    """In `satisfice.cli`."""
    summary: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "demo": Entry("Run", "demo", "Serve a market of scripted providers: no keys, no money, no network."),
    "serve": Entry("Run", "serve", "Serve the API to your programs."),
    "init": Entry("Configuration", "setup", "Write a configuration for the keys and model servers found here."),
    "check": Entry("Configuration", "setup", "Find all that is wrong in a configuration, offline."),
    "config": Entry("Configuration", "setup", "Print every setting explained, or the JSON Schema for editors."),
    "models": Entry("Market", "market", "List the models that can be asked for."),
    "offers": Entry("Market", "market", "List who sells which model at what price."),
    "explain": Entry("Market", "explain", "Show which offers would get a prompt, without sending it."),
    "completion": Entry("Other", "about", "Print the completion script for a shell."),
    "version": Entry("Other", "about", "Print the version."),
}


def main() -> None:
    """The command `satisfice`."""
    sys.excepthook = lambda _kind, error, _trace: render.unexpected(error)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = root.main(list(arguments), prog_name="satisfice", standalone_mode=False)
    except click.ClickException as error:
        return _show(error)
    except click.Abort:
        return Exit.INTERRUPTED
    return code if isinstance(code, int) else Exit.DONE


class _Root(click.Group):
    """Knows its commands by their entries."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"satisfice.cli.{entry.module}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"There is no command `{args[0]}`.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Show failures while it is still known whether colour is wanted."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            ctx.exit(_show(error))
        except BrokenPipeError:  # who reads us has had enough, as `head` has
            render.close()
            ctx.exit(Exit.DONE)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """By section, without importing any."""
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name.ljust(width), entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def _show(error: click.ClickException) -> int:
    match error:
        case click.UsageError(ctx=context):
            path = context.command_path if context else "satisfice"
            render.failure(error.format_message(), f"{path} --help")
        case _:
            error.show()
    return error.exit_code


_HELP: Final = """\
A gateway that buys inference: your programs ask it as they would ask OpenAI, and for each call it takes the cheapest
provider that sells the model, and the next one when that fails.

\b
Examples:
  satisfice demo                     try it without keys, without money
  satisfice serve                    serve with the keys and model servers found here
  satisfice init                     write down what was found, to change it
  satisfice explain -m auto "Hi"     who would answer this, and at what cost?
"""


@click.group(cls=_Root, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="satisfice", message="%(prog)s %(version)s")
@options.no_color
def root() -> None:
    """The root of the tree."""
