"""What people and programs see: the only module that prints.

Data goes to stdout, all else to stderr. Colour is an addition: whatever it says
is said in words as well. click takes it out where nobody would see it (no
terminal) or nobody wants it (`--no-color`, see `plain`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from satisfice.config.problems import Problem

__all__ = [
    "bad",
    "close",
    "data",
    "doubtful",
    "failure",
    "good",
    "json",
    "literal",
    "next_step",
    "note",
    "plain",
    "problems",
    "quiet",
    "strong",
    "table",
    "unexpected",
]


def plain(context: click.Context) -> None:
    """No colour from here on, in this command and in what is said when it fails."""
    context.color = context.find_root().color = False


def good(text: str) -> str:
    """Something that is as it should be."""
    return click.style(text, fg="green")


def doubtful(text: str) -> str:
    """Something that needs a look."""
    return click.style(text, fg="yellow")


def bad(text: str) -> str:
    """Something that is wrong."""
    return click.style(text, fg="red")


def literal(text: str) -> str:
    """Something to be taken letter for letter: a command, an address, a name."""
    return click.style(text, fg="cyan")


def strong(text: str) -> str:
    """What the eye should find first."""
    return click.style(text, bold=True)


def quiet(text: str) -> str:
    """What the eye may pass over."""
    return click.style(text, dim=True)


def data(text: str) -> None:
    """What was asked for, to stdout."""
    click.echo(text)


def json(value: object) -> None:
    """One object for programs, to stdout."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def note(text: str = "") -> None:
    """What is said beside the data, to stderr."""
    click.echo(text, err=True)


def next_step(command: str, why: str = "", *, indent: str = "") -> None:
    """What to do now, as a command to paste, to stderr."""
    note(f"{indent}Next: {literal(command)}{f'  ({why})' if why else ''}")


def failure(message: str, hint: str = "", *, file: IO[Any] | None = None) -> None:
    """What went wrong and what to do about it, to stderr."""
    lines = [f"{bad('error')}: {message}"]
    if hint:
        first, *others = hint.splitlines()
        lines += [f" {literal('hint')}: {first}", *(f"       {line}" for line in others)]
    click.echo("\n".join(lines), file=file or sys.stderr)


def close() -> None:
    """Nobody reads stdout any more: let the interpreter flush it into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def problems(found: Iterable[Problem], *, err: bool = True) -> None:
    """Problems of the configuration, each with its line and carets."""
    from satisfice.config.problems import render

    for problem in found:
        click.echo(_coloured(render(problem)) + "\n", err=err)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under their heads, to stdout.

    A column whose head begins with a blank is of numbers, which stand to the right; one without any cell is left out.
    """
    kept = [at for at in range(len(columns)) if not rows or any(row[at] for row in rows)]
    columns = [columns[at] for at in kept]
    rows = [[row[at] for at in kept] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, rows)
    else:
        _plain_table(columns, rows)


def unexpected(error: BaseException) -> None:
    """A bug of ours in one line, and where it is only for who wants to know: its message may quote anybody."""
    if os.environ.get("SATISFICE_DEBUG"):
        sys.__excepthook__(type(error), error, error.__traceback__)
        return
    failure(
        f"this is a bug of Satisfice: {type(error).__name__}",
        "run it again with SATISFICE_DEBUG=1, and report what it prints and what you did",
    )


_HEAD: Final = re.compile(r"(?<=: )(error|warning)(?=\[)")
_CARETS: Final = re.compile(r"\^+")


def _coloured(problem: str) -> str:
    """A problem as `config.problems` shows it, in colour."""
    head, *middle, last = problem.split("\n")
    is_error = ": error[" in head
    tone = bad if is_error else doubtful
    head = _HEAD.sub(lambda kind: tone(kind[0]), head, count=1)
    last = _CARETS.sub(lambda carets: tone(carets[0]), last, count=1)
    return "\n".join([head, *middle, last])


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [[column.lstrip() for column in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        cells = (
            cell.rjust(width) if column.startswith(" ") else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(Text(column.lstrip()), justify="right" if column.startswith(" ") else "left")
    for row in rows:
        shown.add_row(*map(Text, row))
    is_plain = click.get_current_context().color is False
    Console(color_system=None if is_plain else "auto", highlight=False).print(shown)
