"""How a command ends: the exit codes, and the failure that carries one of them."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Any

import click

from satisfice.cli import render

__all__ = ["Exit", "Failure", "Misconfigured", "Unreachable"]


class Exit(IntEnum):
    """The exit codes, few and documented."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    """The configuration is invalid."""
    UNREACHABLE = 4
    """Nobody who was asked answered."""
    UNFUNDED = 5
    """There is not enough money. No command pays yet."""
    INTERRUPTED = 130
    """By Ctrl-C, as shells have it: 128 and the number of the signal."""


class Failure(click.ClickException):
    """A command can't do what it was asked to; what it says is shown on stderr."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        """What went wrong, in a sentence or two; what to do now, as lines that can be pasted."""
        super().__init__(message)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        render.failure(self.message, self.hint, file=file)


class Misconfigured(Failure):
    """The configuration is invalid, or would be."""

    exit_code = Exit.CONFIG


class Unreachable(Failure):
    """Nobody who was asked answered."""

    exit_code = Exit.UNREACHABLE
